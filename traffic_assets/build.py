"""Putting the code location together: `build_defs(settings, resource_overrides)`.

Tests swap storage or Spark by `resource_overrides`, without patching anything. Nothing is built at import.
"""

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from traffic_assets import checks, guards, jobs, sensors
from traffic_assets.assets.groups import build_assets, pruned_keys
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane, lanes_of
from traffic_assets.dagster_hdfs.backends import BackendError, backend_of
from traffic_assets.dagster_hdfs.io_managers.refusals import require_partitions_subset
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.models.base import ModelSettings


class BrokenLocationError(ValueError):
    """The location would not do what it says: a check gates nothing, or a registry entry has no gate."""


def build_defs(
    settings: Settings | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
    extra_checks: list[dg.AssetChecksDefinition] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    extra_assets: Sequence[dg.AssetsDefinition] | None = None,
) -> dg.Definitions:
    """The whole code location.

    Args:
        settings: `load_settings()` if absent.
        resource_overrides: resources to use instead of those that the settings describe.
        extra_checks: a deployment's own checks on these assets.
        loggers: further loggers that a run may ask for.
        extra_assets: A deployment's own assets, beside ours in the graph. No job of ours materializes them, and the
            retention never prunes them.

    Raises:
        BrokenLocationError: where a check is on an asset that does not exist, or a registry entry stands behind
            no blocking gate.
    """
    with warnings.catch_warnings():
        # partitioned checks and single-run backfills are what Dagster still calls preview and beta
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _build_defs(
            settings or load_settings(),
            resource_overrides or {},
            list(extra_checks or []),
            loggers or {},
            list(extra_assets or []),
        )


def _build_defs(
    settings: Settings,
    resource_overrides: Mapping[str, Any],
    extra_checks: list[dg.AssetChecksDefinition],
    loggers: Mapping[str, dg.LoggerDefinition],
    extra_assets: list[dg.AssetsDefinition],
) -> dg.Definitions:
    require_partitions_subset()
    require_installed(settings.enabled_models)
    require_storage(settings)
    built = build_assets(settings)
    assets = [asset for _, group in built for asset in group] + extra_assets
    all_checks = [*checks.build(settings), *extra_checks]
    lanes = lanes_of(settings)
    for lane in lanes:
        all_checks += checks.build_lane(lane, settings)
    require_sound(assets, all_checks, lanes)
    return dg.Definitions(
        assets=assets,
        asset_checks=all_checks,
        jobs=jobs.build(),
        sensors=[sensors.build(settings, jobs.TRAIN)],
        resources={**build_resources(settings, pruned_keys(built)), **guards.build(settings), **resource_overrides},
        loggers=loggers,
        executor=dg.in_process_executor,
    )


def require_installed(models: Mapping[str, ModelSettings]) -> None:
    """Refuse a lane whose package, or that of a member, is missing while the location loads, not at its first fit.

    Raises:
        BrokenLocationError: with the command that installs it.
    """
    for name, model in models.items():
        algorithm = algorithm_named(name)
        for needed in (algorithm, *map(algorithm_named, algorithm.members(model.hyperparameters))):
            requirements = needed.requirements
            if requirements is None or importlib.util.find_spec(requirements.package) is not None:
                continue
            package, extra = requirements.package, requirements.extra
            what = "" if needed is algorithm else f" with the member {needed.name}"
            otherwise = f"set models.{name}.enabled to false" if needed is algorithm else "leave the member out"
            raise BrokenLocationError(
                f"models.{name} is enabled{what}, and the package {package} is not installed: "
                f"{install_command(extra) if extra else f'install {package}'}, or {otherwise}"
            )


def require_storage(settings: Settings) -> None:
    """Refuse a place whose storage backend is broken while the location loads, not when its first run fails.

    Raises:
        BrokenLocationError: with the setting, the backend's package and the cause.
    """
    places = {
        "persistence.base_uri": settings.persistence.base_uri,
        "data.source": settings.source_uri,
        "data.sensors_source": settings.data.sensors_source,
    }
    for setting, uri in places.items():
        try:
            if uri and (backend := backend_of(uri)):
                backend.factory()
        except BackendError as error:
            raise BrokenLocationError(f"{setting}: {error}") from error


def require_sound(
    assets: list[dg.AssetsDefinition], all_checks: list[dg.AssetChecksDefinition], built: list[Lane]
) -> None:
    """Refuse what Dagster lets pass: a check on a key that does not exist gates nothing.

    Raises:
        BrokenLocationError: naming the check or the registry entry.
    """
    keys = {key for asset in assets for key in asset.keys}
    specs = [spec for check in all_checks for spec in check.check_specs]
    if lost := [spec for spec in specs if spec.asset_key not in keys]:
        named = ", ".join(f"{s.name} on {s.asset_key.to_user_string()}" for s in lost)
        raise BrokenLocationError(
            f"checks on assets that do not exist: {named}; "
            f"the assets are {', '.join(sorted(k.to_user_string() for k in keys))}"
        )
    gated = {spec.asset_key for spec in specs if spec.blocking and spec.name == checks.GATE}
    for lane in built:
        key = asset_key(lane.registry_entry)
        entry = next(a for a in assets if key in a.keys)
        if not gated & set(entry.asset_deps[key]):
            raise BrokenLocationError(f"{lane.registry_entry} does not stand behind a blocking {checks.GATE} check")
