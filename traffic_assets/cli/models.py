"""The commands `models list` and `models show`."""

from typing import Annotated, Any

import typer

from traffic_assets.cli.console import (
    Profile,
    describe_error,
    exit_on_user_error,
    new_table,
    out,
    print_notice,
    print_warning,
    show_decimals,
)
from traffic_assets.cli.history import warn_of_lost
from traffic_assets.messages import cli as messages
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.commands import demo


def list_models(profile: Profile = None) -> None:
    """List the registered versions of every model."""
    from traffic_assets.assets.lanes import list_lanes
    from traffic_assets.registry.reading import summary

    with exit_on_user_error():
        registry = _registry(settings := load_settings(profile))
        versions = [summary(metadata) for metadata in registry.all_versions(notify=_print_warning)]
        if not versions:
            print_notice(messages.NO_MODELS(root=registry.root, command=demo(settings)))
            warn_of_lost(settings, [lane.registry_entry for lane in list_lanes(settings)], registry.root)
            return
        table = new_table("model", "version", "week", "R²", "RMSE", "later RMSE")
        for v in versions:
            numbers = (show_decimals(v["r2"], 5), show_decimals(v["rmse"], 3), show_decimals(v["temporal_rmse"], 3))
            table.add_row(v["lane"], v["version"], v["week"], *numbers)
        out.print(table)


def show_model(
    lane: Annotated[str, typer.Argument(help="Name of the model, such as random_forest or flow/random_forest.")],
    version: Annotated[str, typer.Argument(help="Version, such as v1.0.0.")] = "latest",
    profile: Profile = None,
) -> None:
    """Print the metadata of a registered version as JSON."""
    with exit_on_user_error():
        out.print_json(_registry(load_settings(profile)).metadata(lane, version).model_dump_json())


def _print_warning(error: Exception) -> None:
    print_warning(describe_error(error))


def _registry(settings: Settings) -> Any:
    from traffic_assets.assets.registry import get_registry
    from traffic_assets.resources import build_resources

    return get_registry(build_resources(settings)["hdfs"])
