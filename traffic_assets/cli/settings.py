"""The command `settings`: check the settings and print them."""

from typing import Annotated, Any

import typer

from traffic_assets.cli.console import err, exit_on_user_error, out
from traffic_assets.settings import load_settings, profile_names


def settings(
    profile: Annotated[str | None, typer.Argument(help="Name of a profile, or a JSON file.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a settings file.")] = False,
) -> None:
    """Validate the settings and print the values in effect. All errors are listed at once."""
    if schema:
        out.print_json(data=settings_schema())
        return
    from traffic_assets.build import build_defs

    with exit_on_user_error():
        loaded = load_settings(profile)
        build_defs(loaded)  # only the code location knows features and missing packages
        out.print_json(loaded.model_dump_json())
        err.print(f"valid; built-in profiles: {', '.join(profile_names())}")


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of a settings file, with the sections of installed plugins."""
    from traffic_assets.settings.plugins import settings_class

    schema = settings_class().model_json_schema()
    del schema["properties"]["profile"]  # set by the loader; a file names the profile that it builds on
    schema["properties"]["extends"] = {"type": "string", "description": "Profile or settings file to build on."}
    return schema
