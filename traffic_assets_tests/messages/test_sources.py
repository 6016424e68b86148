"""Raises, warnings and check results for users in the source, which have messages of the catalogue."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import traffic_assets

PACKAGE = Path(traffic_assets.__file__).parent


NOT_FOR_USERS = {"AssertionError", "AttributeError", "KeyError", "NotImplementedError", "StopIteration", "TypeError"}
"""Errors of the code itself, which no setting, file or command causes."""

CARRIERS = {"Exit", "RetryRequested"}
"""Exceptions that pass an error on, or end a process after its message was printed."""

LOGS = {"warning", "error"}
"""Methods of loggers that users read."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def uncoded(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each raise, warning and check result that has words instead of a message."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = _name(node.exc.func)
            if name not in NOT_FOR_USERS | CARRIERS and not _has_message(node.exc):
                yield node.lineno, ast.unparse(node.exc)
        if isinstance(node, ast.Call):
            name = _name(node.func)
            logger = ast.unparse(node.func.value).lower() if isinstance(node.func, ast.Attribute) else ""
            if (
                ("log" in logger and name in LOGS) or name in ("warn", "AssetCheckResult", "SkipReason")
            ) and not _has_message(node):
                yield node.lineno, ast.unparse(node)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _has_message(call: ast.Call) -> bool:
    """Return whether the text is a message: the call of one, or a variable or an attribute that holds its text."""
    described = [keyword.value for keyword in call.keywords if keyword.arg in ("description", "skip_message")]
    texts = described or call.args[:1] or [k.value for k in call.keywords if k.arg not in ("metadata", "passed")]
    if texts and isinstance(texts[0], ast.Constant) and not str(texts[0].value).replace("%s", "").strip(": "):
        texts = call.args[-1:]  # a format without words, such as "%s: %s"
    return bool(texts) and not _is_words(texts[0])


def _is_words(text: ast.expr) -> bool:
    """Return whether an expression is words: a constant, an f-string, or either of them in part."""
    if isinstance(text, ast.IfExp):
        return _is_words(text.body) or _is_words(text.orelse)
    if isinstance(text, ast.BinOp):
        return True
    if isinstance(text, ast.Constant):
        return text.value is not None
    return isinstance(text, ast.JoinedStr)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_message_has_a_code(module: Path) -> None:
    assert list(uncoded(module.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        'raise ValueError("no speed")',
        'raise dg.Failure(f"week {week} has no days", allow_retries=False)',
        'warnings.warn("left out: " + name, PluginWarning, stacklevel=2)',
        'context.log.warning("no rows")',
        'dg.AssetCheckResult(passed=False, description="no rows")',
        'dg.AssetCheckResult(passed=passed, description="no rows")',
        '_LOG.warning("no rows of %s", sensor)',
        'raise ValueError("no speed", cause)',
    ],
)
def test_words_without_a_code_are_found(source: str) -> None:
    assert [line for line, _ in uncoded(source)] == [1]


@pytest.mark.parametrize(
    "source",
    [
        "raise ValueError(messages.NO_SPEED(rows=3))",
        "raise dg.Failure(NO_DAYS(week=week), allow_retries=False)",
        "raise",
        "raise error",
        'raise TypeError("a developer\'s error")',
    ],
)
def test_messages_and_errors_of_the_code_itself_pass(source: str) -> None:
    assert list(uncoded(source)) == []
