"""Texts for users in source code that are no messages of the catalogue.

Whatever a user reads about a problem must be a message: errors, warnings, log entries, check results, reasons of
skipped ticks, and what the command line prints to standard error or in a warning colour. `uncoded` accepts only

- the call of a message, `messages.NAME(...)`, as it is or in `str(...)`, `escape(...)` or markup;
- a name that only such a text can have: each of its assignments is one, or it is annotated `CodedText`, which mypy
  checks;
- an existing error: the one of an `except` clause, the cause of another one, or the result of a function that is
  annotated as an error. The construction of every error is checked, wherever it is.
"""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType

import traffic_assets
from traffic_assets.dagster_hdfs.message import Message

PACKAGE = Path(traffic_assets.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

INTERNAL = {"AssertionError", "AttributeError", "KeyError", "NotImplementedError", "StopIteration", "TypeError"}
"""Errors of the code itself, which no setting, file or command causes."""

CARRIERS = {"Exit", "RetryRequested"}
"""Exceptions that end a process after its message was printed, or pass an error on to Dagster's retry."""

LOGS = {"warning", "warn", "error", "exception", "critical", "fatal", "log"}
"""Methods of loggers that report problems."""

WARNINGS = {"warn", "warn_explicit", "add_note", "print_error", "print_warning", "print_notice"}
"""Functions whose first argument is a text about a problem."""

PRINTS = {"print", "echo", "secho", "write"}
"""Functions that print a text about a problem if it goes to standard error or has a warning colour."""

WRAPPERS = {"str", "escape"}
"""Functions that return the text of their argument."""

_MESSAGES = re.compile(r"traffic_assets\.messages(\.\w+)?|traffic_assets\.dagster_hdfs(\.messages)?")
_ERROR = re.compile(r"_?([A-Z]\w*)?(Error|Exception|Failure|Warning)")
_PROBLEM = re.compile(r"stderr|\berr=True|^err\.|\[[^\]]*\b(red|yellow)|(style|fg)=.*(red|yellow)|'(red|yellow)'", re.I)
_TEXTS = re.compile(r"(list|tuple|Sequence|Iterable)\[CodedText(, \.\.\.)?\]")
_MARKUP = re.compile(r"\[[^\]]*\]")
_Test = Callable[[ast.expr | None], bool]


def uncoded(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and code of each place that shows a user a text without a code."""
    for node in _Finder(ast.parse(source)).problems():
        yield node.lineno, ast.unparse(node)


@cache
def annotated(is_annotation: _Test) -> set[str]:
    """Return the functions and attributes whose every annotation in the package passes a test."""
    annotations: dict[str, list[ast.expr | None]] = {}
    for node in (node for module in MODULES for node in ast.walk(ast.parse(module.read_text()))):
        if isinstance(node, ast.FunctionDef):
            annotations.setdefault(node.name, []).append(node.returns)
        elif isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.AnnAssign):
                    annotations.setdefault(ast.unparse(item.target), []).append(item.annotation)
    return {name for name, each in annotations.items() if all(map(is_annotation, each))}


def _is_text_type(annotation: ast.expr | None) -> bool:
    return annotation is not None and set(_parts(annotation)) - {"None"} == {"CodedText"}


def _is_texts_type(annotation: ast.expr | None) -> bool:
    return annotation is not None and _TEXTS.fullmatch(ast.unparse(annotation)) is not None


def _is_message_type(annotation: ast.expr | None) -> bool:
    return annotation is not None and _parts(annotation) == ["Message"]


def _is_error_type(annotation: ast.expr | None) -> bool:
    parts = set(_parts(annotation)) - {"None"} if annotation else set()
    return bool(parts) and all(_ERROR.fullmatch(part.rpartition(".")[2]) for part in parts)


def _parts(annotation: ast.expr) -> list[str]:
    """Return the classes of an annotation such as `OSError | None`."""
    return ast.unparse(annotation).strip("'\"").split(" | ")


@dataclass
class _Scope:
    """Names of a module or function.

    Attributes:
        values: Assigned expressions by name; the starred iterable of a loop; None for any other binding.
        annotations: Annotations of parameters and variables by name; None for a parameter without one.
        caught: Errors of `except` clauses.
    """

    values: dict[str, list[ast.expr | None]] = field(default_factory=dict)
    annotations: dict[str, list[ast.expr | None]] = field(default_factory=dict)
    caught: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, owner: ast.AST) -> "_Scope":
        """Return the names that a module, function or lambda binds itself."""
        scope = cls()
        arguments = getattr(owner, "args", None)
        if isinstance(arguments, ast.arguments):
            variable = [a for a in (arguments.vararg, arguments.kwarg) if a]
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                scope.annotations.setdefault(argument.arg, []).append(argument.annotation)
            for argument in variable:
                scope.annotations.setdefault(argument.arg, []).append(None)
        waiting = list(ast.iter_child_nodes(owner))
        while waiting:
            node = waiting.pop()
            scope._add(node)
            if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
                waiting += ast.iter_child_nodes(node)
        return scope

    def _add(self, node: ast.AST) -> None:
        if isinstance(node, ast.ExceptHandler) and node.name:
            self.caught.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            self.annotations.setdefault(ast.unparse(node.target), []).append(node.annotation)
        elif isinstance(node, ast.NamedExpr):
            self.values.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._add_assignment(target, node.value)
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            self.values.setdefault(node.target.id, []).append(ast.Starred(node.iter))
        elif isinstance(node, ast.For | ast.AugAssign):
            self._add_unknown(node.target)
        elif isinstance(node, ast.withitem) and node.optional_vars:
            self._add_unknown(node.optional_vars)

    def _add_assignment(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.values.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for item, its_value in zip(target.elts, value.elts, strict=True):
                self._add_assignment(item, its_value)
        else:
            self._add_unknown(target)

    def _add_unknown(self, target: ast.expr) -> None:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self.values.setdefault(node.id, []).append(None)


class _Finder:
    """The texts of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._scopes: dict[ast.AST, _Scope] = {}
        self._modules: dict[str, ModuleType] = {}
        self._messages: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and _MESSAGES.fullmatch(node.module or ""):
                for alias in node.names:
                    self._add_import(node.module or "", alias.name, alias.asname or alias.name)

    def _add_import(self, module: str, name: str, as_name: str) -> None:
        imported = getattr(importlib.import_module(module), name, None)
        if isinstance(imported, Message):
            self._messages.add(as_name)
        elif imported is None or isinstance(imported, ModuleType):
            self._modules[as_name] = importlib.import_module(f"{module}.{name}")

    def problems(self) -> Iterator[ast.expr]:
        """Yield the raised errors and the calls that show a text without a code, and log methods that are passed on."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Raise) and node.exc is not None and not self._is_raised_with_code(node.exc):
                yield node.exc
            elif isinstance(node, ast.Call) and getattr(self._parents[node], "exc", None) is not node:
                if any(not self._is_text(text) for text in self._shown_texts(node)):
                    yield node
            elif isinstance(node, ast.Attribute) and not self._is_called(node) and self._is_log(node):
                yield node

    def _is_raised_with_code(self, error: ast.expr) -> bool:
        name = _last_name(error.func if isinstance(error, ast.Call) else error)
        if name in INTERNAL or (name in CARRIERS and isinstance(error, ast.Call)) or self._is_error(error):
            return True
        return isinstance(error, ast.Call) and self._is_text(_text_of_error(error))

    def _shown_texts(self, call: ast.Call) -> Iterator[ast.expr | None]:
        """Yield the texts that a call shows to users; None if it should have one."""
        name, keywords = _last_name(call.func), {k.arg: k.value for k in call.keywords}
        first = call.args[0] if call.args else None
        if name == "AssetCheckResult":
            passed = keywords.get("passed")
            if not (isinstance(passed, ast.Constant) and passed.value is True):
                yield keywords.get("description")
        elif name in ("SensorResult", "SkipReason"):
            reason = keywords.get("skip_reason", keywords.get("skip_message", first if name == "SkipReason" else None))
            if reason is not None:
                yield reason
        elif _ERROR.fullmatch(name) and name not in INTERNAL:
            yield _text_of_error(call)
        elif isinstance(call.func, ast.Attribute) and self._is_log(call.func):
            yield call.args[1] if name == "log" and len(call.args) > 1 else first
        elif name == "CodedText":
            yield from (text for text in call.args[:1] if _has_words(text))
        elif name in WARNINGS:
            yield first
        elif name in PRINTS and _PROBLEM.search(ast.unparse(call)):
            yield from call.args or (None,)
        elif ast.unparse(call.func) == "sys.exit" or self._is_init_of_error(call):
            yield from (text for text in call.args if _has_words(text))

    def _is_text(self, text: ast.expr | None) -> bool:
        """Return whether an expression is the text of a message."""
        if isinstance(text, ast.IfExp):
            return all(_is_none(branch) or self._is_text(branch) for branch in (text.body, text.orelse))
        if isinstance(text, ast.NamedExpr):
            return self._is_text(text.value)
        if isinstance(text, ast.Starred):
            return self._are_texts(text.value)
        if isinstance(text, ast.JoinedStr):
            parts = [part.value for part in text.values if isinstance(part, ast.FormattedValue)]
            return not _has_words(text) and bool(parts) and all(map(self._is_text, parts))
        if isinstance(text, ast.Attribute):
            return text.attr in annotated(_is_text_type)
        if isinstance(text, ast.Call):
            name = _last_name(text.func)
            if name in WRAPPERS:
                return bool(text.args) and self._is_text(text.args[0])
            if _ERROR.fullmatch(name):
                return True  # its own text is checked as well
            return self._is_message(text.func) or name in annotated(_is_text_type)
        return isinstance(text, ast.Name) and self._is_bound(text, self._is_text, _is_text_type)

    def _are_texts(self, texts: ast.expr | None) -> bool:
        """Return whether an expression is a collection of texts of messages."""
        if isinstance(texts, ast.List | ast.Tuple):
            return all(map(self._is_text, texts.elts))
        if isinstance(texts, ast.ListComp):
            return self._is_text(texts.elt)
        if isinstance(texts, ast.Attribute):
            return texts.attr in annotated(_is_texts_type)
        if isinstance(texts, ast.Call):
            if ast.unparse(texts).startswith("filter(None, "):
                return self._are_texts(texts.args[1])
            return _last_name(texts.func) in annotated(_is_texts_type)
        return isinstance(texts, ast.Name) and self._is_bound(texts, self._are_texts, _is_texts_type)

    def _is_error(self, error: ast.expr | None) -> bool:
        """Return whether an expression is an error that exists already, or was constructed where it is checked."""
        if isinstance(error, ast.Attribute):
            return error.attr == "__cause__"
        if isinstance(error, ast.Call):
            return _last_name(error.func) in annotated(_is_error_type)
        if not isinstance(error, ast.Name):
            return False
        if any(error.id in scope.caught for scope in self._scopes_of(error)):
            return True
        return self._is_bound(error, lambda value: self._is_error(value) or _is_construction(value), _is_error_type)

    def _is_message(self, function: ast.expr | None) -> bool:
        """Return whether the called expression is a message."""
        if isinstance(function, ast.IfExp):
            return self._is_message(function.body) and self._is_message(function.orelse)
        if isinstance(function, ast.Attribute):
            module = self._modules.get(ast.unparse(function.value))
            return isinstance(getattr(module, function.attr, None), Message) or (
                function.attr in annotated(_is_message_type)
            )
        if not isinstance(function, ast.Name):
            return False
        return function.id in self._messages or self._is_bound(function, self._is_message, _is_message_type)

    def _is_bound(self, name: ast.Name, is_value: _Test, is_annotation: _Test) -> bool:
        """Return whether every binding of a name, in the innermost scope that has one, passes a test."""
        for scope in self._scopes_of(name):
            if annotations := scope.annotations.get(name.id):
                return all(map(is_annotation, annotations))
            if values := scope.values.get(name.id):
                return all(map(is_value, values))
        return False

    def _is_log(self, method: ast.Attribute) -> bool:
        named = "log" in ast.unparse(method.value).lower()
        return method.attr in LOGS and (named or (self._is_called(method) and method.attr not in ("log", "warn")))

    def _is_called(self, function: ast.expr) -> bool:
        return getattr(self._parents[function], "func", None) is function

    def _is_init_of_error(self, call: ast.Call) -> bool:
        return ast.unparse(call.func) == "super().__init__" and any(
            isinstance(above, ast.ClassDef) and any(_ERROR.fullmatch(_last_name(base)) for base in above.bases)
            for above in self._above(call)
        )

    def _scopes_of(self, node: ast.AST) -> Iterator[_Scope]:
        """Yield the scopes around a node, the innermost first."""
        for above in self._above(node):
            if isinstance(above, ast.FunctionDef | ast.Lambda | ast.Module):
                if above not in self._scopes:
                    self._scopes[above] = _Scope.of(above)
                yield self._scopes[above]

    def _above(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self._parents:
            node = self._parents[node]
            yield node


def _last_name(expression: ast.expr) -> str:
    return expression.attr if isinstance(expression, ast.Attribute) else getattr(expression, "id", "")


def _text_of_error(call: ast.Call) -> ast.expr | None:
    described = [keyword.value for keyword in call.keywords if keyword.arg == "description"]
    return next(iter([*described, *call.args]), None)


def _is_none(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Constant) and expression.value is None


def _is_construction(error: ast.expr | None) -> bool:
    return isinstance(error, ast.Call) and _ERROR.fullmatch(_last_name(error.func)) is not None


def _has_words(text: ast.expr) -> bool:
    """Return whether an expression contains words, which are not markup."""
    constants = (node.value for node in ast.walk(text) if isinstance(node, ast.Constant))
    return any(re.search(r"\w", _MARKUP.sub("", value)) for value in constants if isinstance(value, str))
