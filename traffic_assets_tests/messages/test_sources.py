"""Texts for users in the source, which are messages of the catalogue."""

import ast
from pathlib import Path

import pytest

from traffic_assets_tests.messages.sources import MODULES, PACKAGE, uncoded

EXCEPTIONS = {
    ("assets/registry.py", "context.log.warning"): "prune's parameter is a Callable[[CodedText], None]",
    ("cli/console.py", "err.print(f'[dim]{minutes:3d}:{seconds:02d}[/dim]  {escape(str(text))}', highlight=False, "
     "soft_wrap=True)"): "progress; str shows the code of a message",
    ("cli/console.py", "err.print(f'[yellow]{escape(problem)}[/yellow]')"): "list_problems has added codes; an error "
    "of another package has none",
    ("cli/settings.py", "err.print(f\"valid; built-in profiles: {', '.join(profile_names())}\")"): "not a problem",
    ("dagster_hdfs/messages.py", "CodedText('Too many rows are bad, 120 of 1000.', 'readings.too-many-bad-rows', {})"):
    "an example",
    ("dagster_hdfs/failures.py", "dg.Failure(metadata=failure_metadata(text))"): "never raised; converts metadata",
    ("settings/models/base.py", "ValidationError.from_exception_data(type(self).__name__, errors)"): "of coded errors",
    ("settings/models/ensemble.py", "ValidationError.from_exception_data(cls.__name__, errors)"): "of coded errors",
    ("settings/pydantic_errors.py", "PydanticCustomError('refused', '{reason}', {'reason': error['msg']})"): "repeats "
    "an error of pydantic, which coded_text gives a code",
}  # fmt: skip
"""Places without a message, by module and code, each with the reason."""

IMPORTS = "from traffic_assets.messages import cli as messages\nfrom traffic_assets.messages.cli import NO_MODELS\n"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_text_for_users_has_a_code(module: Path) -> None:
    name = str(module.relative_to(PACKAGE))
    assert [place for place in uncoded(module.read_text()) if (name, place[1]) not in EXCEPTIONS] == []


def test_every_exception_is_needed() -> None:
    names = {module: str(module.relative_to(PACKAGE)) for module in MODULES}
    assert {(names[m], text) for m in MODULES for _, text in uncoded(m.read_text())} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    "source",
    [
        'raise ValueError("no speed")',
        'raise ValueError("no speed", cause)',
        'raise ValueError("no speed {}".format(speed))',
        'raise ValueError(" ".join(parts))',
        'raise ValueError(messages.NO_BROWSER() + " Try again")',
        "raise ValueError(*texts)",
        "raise ValueError",
        "raise ValueError()",
        "raise ValueError(messages.NO_SUCH_MESSAGE())",
        "raise ValueError(other.NO_BROWSER())",
        "raise ValueError(text)",
        'raise (ValueError if wrong else OSError)("no speed")',
        'raise type(error)("no speed")',
        'raise kind("no speed")',
        'raise typer.BadParameter("no speed")',
        'raise SystemExit("no speed")',
        'raise dg.Failure(f"week {week} has no days", allow_retries=False)',
        'raise dg.Failure(description="no days")',
        'raise RegistryError("no version") from error',
        "raise fetched",
        "raise self.errors[0]",
        'failed = ValueError("no speed")',
        'warnings.warn("left out: " + name, PluginWarning, stacklevel=2)',
        "warnings.warn(str(error))",
        'warnings.warn(PluginWarning("left out"))',
        'context.log.warning("no rows")',
        "context.log.warning(str(x))",
        "context.log.warning(text.upper())",
        'context.log.error(f"{day} has no rows")',
        'context.log.log(logging.ERROR, "no rows")',
        '_LOG.warning("no rows of %s", sensor)',
        '_LOG.exception("no rows")',
        'logging.getLogger().critical("no rows")',
        "prune(notify=context.log.warning)",
        'error.add_note("no rows")',
        'err.print("no speed")',
        'out.print("[red]no speed[/red]")',
        'out.print(f"[bold yellow]{speed} mph[/bold yellow]")',
        'console.print("no speed", style="bold red")',
        'typer.echo("no speed", err=True)',
        'typer.secho("no speed", fg=typer.colors.RED)',
        'print("no speed", file=sys.stderr)',
        'sys.stderr.write("no speed")',
        'print_error("no speed")',
        'sys.exit("no speed")',
        'out.print(Text("no speed", "red"))',
        'raise dg.RetryRequested(3) from ValueError("no speed")',
        'return CodedText("no speed", "readings.no-speed", {})',
        'self._report.critical("no rows")',
        'dg.AssetCheckResult(passed=False, description="no rows")',
        'dg.AssetCheckResult(passed=passed, description="no rows")',
        "dg.AssetCheckResult(passed=passed)",
        'dg.SkipReason("no week")',
        'dg.SensorResult(skip_reason="no week")',
    ],
)
def test_a_text_without_a_code_is_found(source: str) -> None:
    ((line, code),) = uncoded(IMPORTS + source)
    assert line == 3
    assert code in ast.unparse(ast.parse(source))


@pytest.mark.parametrize(
    "body",
    [
        ["text = 'no speed'", "raise ValueError(text)"],
        ["text = messages.NO_BROWSER()", "text = 'no speed'", "raise ValueError(text)"],
        ["text = messages.NO_BROWSER()", "text += 'no speed'", "raise ValueError(text)"],
        ["text, other = read(), messages.NO_BROWSER()", "raise ValueError(text)"],
        ["for text in texts: context.log.warning(text)"],
        ["with opened() as text: context.log.warning(text)"],
        ["error = make('no speed')", "raise error"],
        ["raise ValueError(argument)"],
        ["raise ValueError(described)"],
        ["class SpeedError(ValueError):", "    def __init__(self): super().__init__('no speed')"],
    ],
)
def test_a_name_that_may_have_another_text_is_found(body: list[str]) -> None:
    lines = [f"    {line}\n" for line in body]
    assert len(list(uncoded("".join([IMPORTS, "def function(argument, described: str):\n", *lines])))) == 1


@pytest.mark.parametrize(
    "body",
    [
        ["raise ValueError(messages.NO_MODELS(root=root))"],
        ["raise dg.Failure(NO_MODELS(root=root), allow_retries=False)"],
        ["raise dg.Failure(description=NO_MODELS(root=root))"],
        ["raise ValueError((messages.NO_MODELS if empty else messages.NO_BROWSER)())"],
        ["text = messages.NO_MODELS(root=root) if empty else messages.NO_BROWSER()", "raise ValueError(text)"],
        ["message = messages.NO_MODELS", "raise ValueError(message(root=root))"],
        ["raise ValueError(argument)"],
        ["raise made from error"],
        ["error = ValueError(messages.NO_BROWSER())", "raise error"],
        ["try: call()", "except ValueError as error: raise error", "except OSError: raise"],
        ["raise retry.__cause__"],
        ["raise typer.Exit(1)"],
        ["raise TypeError('an error of the code')"],
        ["raise NotImplementedError"],
        ["warnings.warn(messages.NO_BROWSER(), PluginWarning)"],
        ["for text in [messages.NO_BROWSER()]: context.log.warning(text)"],
        ["context.log.warning(messages.NO_BROWSER())", "context.log.info('3 rows')"],
        ["_LOG.warning(argument.with_prefix('mine: '))"],
        ["err.print(f'[red]{escape(str(argument))}[/red]')", "out.print('[green]usable[/green]')"],
        ["dg.AssetCheckResult(passed=True, description='All rows have a speed.')"],
        ["dg.AssetCheckResult(passed=False, description=messages.NO_BROWSER())"],
        ["dg.SensorResult(skip_reason=None if requests else str(messages.NO_BROWSER()))"],
        ["dg.SensorResult(run_requests=requests)"],
    ],
)
def test_messages_and_existing_errors_pass(body: list[str]) -> None:
    signature = "def function(argument: CodedText, made: OSError | None):\n"
    assert list(uncoded("".join([IMPORTS, signature, *(f"    {line}\n" for line in body)]))) == []
