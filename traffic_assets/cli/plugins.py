"""The command `plugins`: extensions of installed packages."""

import typer

from traffic_assets.cli.console import FAILED, describe_error, new_table, out, print_error, print_notice
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import cli as messages


def plugins() -> None:
    """List the algorithms, metrics, features and storage of installed packages. Exits with code 1 if one is broken."""
    from traffic_assets.dagster_hdfs.backends import GROUP, BackendError, backends
    from traffic_assets.settings.plugins import KINDS
    from traffic_assets.settings.plugins import plugins as installed

    rows = [
        (kind.lower(), p.name, p.package, p.source, p.left_out)
        for group, kind in KINDS.items()
        for p in installed(group)
    ]
    for backend in backends():
        problem = None
        try:
            backend.factory()
        except BackendError as error:
            problem = describe_error(error)
        rows.append(("storage", backend.scheme, backend.distribution, backend.source, problem))
    if not rows:
        print_notice(messages.NO_PLUGINS(groups=[*KINDS, GROUP]))
        return
    table = new_table("what", "name", "package", "entry point", "", named="name")
    for kind, name, package, source, problem in rows:
        table.add_row(kind, name, package, source, "[red]broken[/red]" if problem else "[green]usable[/green]")
    out.print(table)
    problems: list[CodedText] = [problem for *_, problem in rows if problem]
    for text in problems:
        print_error(text)
    if problems:
        raise typer.Exit(FAILED)
