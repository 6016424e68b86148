"""The command `settings`: check the settings and print them."""

from typing import TYPE_CHECKING, Annotated

import typer

from traffic_assets.settings import load_settings, profile_names

if TYPE_CHECKING:
    pass
from traffic_assets.cli.console import err, exit_on_user_error, out


def settings(
    profile: Annotated[str | None, typer.Argument(help="A profile's name or a JSON file.")] = None,
) -> None:
    """Check the settings and print them as they are in force; every mistake is listed at once."""
    from traffic_assets.build import build_defs

    with exit_on_user_error():
        found = load_settings(profile)
        build_defs(found)  # names of features and missing packages are known to the location alone
        out.print_json(found.model_dump_json())
        err.print(f"valid; profiles that come along: {', '.join(profile_names())}")
