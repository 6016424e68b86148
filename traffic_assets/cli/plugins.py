"""The command `plugins`: what installed packages add."""

import typer
from rich.markup import escape

from traffic_assets.cli.console import FAILED, err, new_table, out


def plugins() -> None:
    """What installed packages add: algorithms, metrics, storage backends. Exit code 1 where one cannot be used."""
    from traffic_assets.dagster_hdfs.backends import GROUP, BackendError, backends
    from traffic_assets.settings.plugins import KINDS
    from traffic_assets.settings.plugins import plugins as found

    rows = [
        (kind.lower(), p.name, p.package, p.source, p.problem and f"{p}: {p.problem}")
        for group, kind in KINDS.items()
        for p in found(group)
    ]
    for backend in backends():
        problem = None
        try:
            backend.factory()
        except BackendError as error:
            problem = str(error)
        rows.append(("storage", backend.scheme, backend.distribution, backend.source, problem))
    if not rows:
        groups = ", ".join((*KINDS, GROUP))
        out.print(f"no installed package adds anything by an entry point in {groups}")
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
