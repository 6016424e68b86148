"""The command `plugins`: extensions of installed packages."""

import typer
from rich.markup import escape

from traffic_assets.cli.console import FAILED, err, new_table, out, with_code
from traffic_assets.messages import cli as messages


def plugins() -> None:
    """List the algorithms, metrics, features and storage of installed packages. Exits with code 1 if one is broken."""
    from traffic_assets.dagster_hdfs.backends import GROUP, BackendError, backends
    from traffic_assets.settings.plugins import KINDS
    from traffic_assets.settings.plugins import plugins as installed

    rows = [
        (kind.lower(), p.name, p.package, p.source, p.problem and f"{p}: {p.problem}")
        for group, kind in KINDS.items()
        for p in installed(group)
    ]
    for backend in backends():
        problem = None
        try:
            backend.factory()
        except BackendError as error:
            problem = str(error)
        rows.append(("storage", backend.scheme, backend.distribution, backend.source, problem))
    if not rows:
        out.print(escape(with_code(messages.NO_PLUGINS(groups=[*KINDS, GROUP]))))
        return
    table = new_table("what", "name", "package", "entry point", "", named="name")
    for kind, name, package, source, problem in rows:
        table.add_row(kind, name, package, source, "[red]broken[/red]" if problem else "[green]usable[/green]")
    out.print(table)
    problems = [problem for *_, problem in rows if problem]
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/red]")
    if problems:
        raise typer.Exit(FAILED)
