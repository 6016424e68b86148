"""The code location: `build_defs(settings, resource_overrides)`.

Tests replace storage or Spark with `resource_overrides`, without patches. Nothing is built at import.
"""

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from traffic_assets import checks, guards, jobs, sensors
from traffic_assets.assets.group import IO_MANAGERS
from traffic_assets.assets.groups import build_assets, pruned_keys
from traffic_assets.assets.keys import asset_key
from traffic_assets.assets.lanes import Lane, list_lanes
from traffic_assets.dagster_hdfs.backends import BackendError, find_backend
from traffic_assets.dagster_hdfs.io_managers.refusals import require_partitions_subset
from traffic_assets.dagster_hdfs.message import error_text
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import absolute_uri
from traffic_assets.liveness import sensor as liveness_sensor
from traffic_assets.messages import location as messages
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.naming import Asset, add_key_prefix, add_name_prefix, add_prefixes, list_keys
from traffic_assets.resources import build_resources
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.extras import install_command
from traffic_assets.settings.models.base import ModelSettings

ExtraAsset = Asset
"""An asset of a deployment's own: computed, or only described."""


class BrokenLocationError(ValueError):
    """A code location that cannot work, such as a check without an asset or a registry entry without a gate."""


def build_defs(
    settings: Settings | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
    extra_checks: list[dg.AssetChecksDefinition] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    extra_assets: Sequence[ExtraAsset] | None = None,
) -> dg.Definitions:
    """Return the code location.

    Args:
        settings: Settings of the deployment; `load_settings()` if absent.
        resource_overrides: Resources that replace those of the settings, by key.
        extra_checks: A deployment's own checks on these assets. Their keys, and those of `extra_assets`, are written
            without the prefix of the setting `deployment`.
        loggers: Further loggers that a run can configure, by name.
        extra_assets: A deployment's own assets, in the same graph. No built-in job materializes them, and retention
            never prunes them.

    Raises:
        BrokenLocationError: If a check is on an asset that does not exist, a registry entry has no blocking gate, or a
            required package is missing.
    """
    with warnings.catch_warnings():
        # Dagster still marks partitioned checks as preview and single-run backfills as beta
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
    extra_assets: list[ExtraAsset],
) -> dg.Definitions:
    require_partitions_subset()
    require_installed(settings.enabled_models)
    require_storage(settings)
    built = build_assets(settings)
    own = _with_owners([asset for _, group in built for asset in group], settings.owners)
    resources = build_resources(settings, pruned_keys(built))
    require_free_folders(extra_assets, own, resources["hdfs"])
    assets = [*own, *extra_assets]
    all_checks = [*checks.build_days(settings), *checks.build_outdated(settings)]
    all_checks += [*checks.build(settings), *extra_checks]
    lanes = list_lanes(settings)
    for lane in lanes:
        all_checks += checks.build_lane(lane, settings)
    require_sound(assets, all_checks, lanes)
    used = {**resources, **_complete_storage(resource_overrides, resources["hdfs"])}
    storage = _known_storage(used["hdfs"])
    named, named_checks = add_prefixes(assets, all_checks, settings.deployment)
    named = [guards.require_heartbeat(asset) for asset in named]
    named_checks = [guards.require_heartbeat(check) for check in named_checks]
    keys = guards.list_keys_with_heartbeat([*named, *named_checks])
    return dg.Definitions(
        assets=named,
        asset_checks=named_checks,
        jobs=jobs.build(built, settings.deployment),
        sensors=[
            sensors.build(settings, add_name_prefix(jobs.TRAIN, settings.deployment), storage),
            liveness_sensor.build(settings, keys),
        ],
        resources={**guards.build(settings, storage, keys), **used},
        loggers=loggers,
        executor=dg.in_process_executor,
    )


def _with_owners(assets: list[dg.AssetsDefinition], owners: Sequence[str]) -> list[dg.AssetsDefinition]:
    if not owners:
        return assets
    return [asset.map_asset_specs(lambda spec: spec.replace_attributes(owners=owners)) for asset in assets]


def _complete_storage(overrides: Mapping[str, Any], own: HdfsResource) -> dict[str, Any]:
    """Return the overrides; a storage without datasets to prune, or without a prefix, gets those of the settings."""
    storage = overrides.get("hdfs")
    if not isinstance(storage, HdfsResource):
        return dict(overrides)
    missing = {name: getattr(own, name) for name in ("pruned_datasets", "key_prefix") if not getattr(storage, name)}
    return {**overrides, "hdfs": storage.model_copy(update=missing)}


def _known_storage(hdfs: Any) -> HdfsResource | None:
    """Return a storage whose location is known before a run; None otherwise."""
    return hdfs if isinstance(hdfs, HdfsResource) and not isinstance(hdfs.base_uri, dg.EnvVar) else None


def require_free_folders(
    extra_assets: Sequence[ExtraAsset], own: Sequence[dg.AssetsDefinition], hdfs: HdfsResource
) -> None:
    """Raise if an extra asset would be stored in a folder of ours; each would replace the pointers of the other.

    Args:
        extra_assets: Assets of a deployment's own.
        own: Assets of the groups.
        hdfs: Storage, which knows the folder of each key.

    Raises:
        BrokenLocationError: If two assets would share a folder.
    """
    used = {hdfs.dataset(add_key_prefix(key, hdfs.key_prefix)).root: key for asset in own for key in asset.keys}
    for asset in extra_assets:
        if not isinstance(asset, dg.AssetsDefinition) or not asset.is_executable:
            continue
        for key in asset.keys:
            root = hdfs.dataset(add_key_prefix(key, hdfs.key_prefix)).root
            if asset.get_io_manager_key_for_asset_key(key) in IO_MANAGERS and root in used:
                raise BrokenLocationError(
                    messages.EXTRA_ASSET_IN_USED_FOLDER(
                        asset=key.to_user_string(),
                        folder=root.removeprefix(f"{absolute_uri(hdfs.base_uri)}/"),
                        other=used[root].to_user_string(),
                    )
                )


def require_installed(models: Mapping[str, ModelSettings]) -> None:
    """Raise if the package of an enabled model, or of a member, is missing; otherwise its first fit would fail.

    Raises:
        BrokenLocationError: If a package is missing.
    """
    for name, model in models.items():
        algorithm = algorithm_named(name)
        for needed in (algorithm, *map(algorithm_named, algorithm.members(model.hyperparameters))):
            requirements = needed.requirements
            if requirements is None or importlib.util.find_spec(requirements.package) is not None:
                continue
            package, extra = requirements.package, requirements.extra
            facts = {
                "model": name,
                "package": package,
                "install": install_command(extra) if extra else f"install {package}",
            }
            if needed is algorithm:
                raise BrokenLocationError(messages.PACKAGE_MISSING(**facts))
            raise BrokenLocationError(messages.MEMBER_PACKAGE_MISSING(member=needed.name, **facts))


def require_storage(settings: Settings) -> None:
    """Raise if a location needs a broken storage backend; otherwise its first run would fail.

    Raises:
        BrokenLocationError: If a storage backend cannot be used.
    """
    uris = {
        "persistence.base_uri": settings.persistence.base_uri,
        "data.source": settings.source_uri,
        "data.sensors_source": settings.data.sensors_source,
    }
    for setting, uri in uris.items():
        try:
            if uri and (backend := find_backend(uri)):
                backend.factory()
        except BackendError as error:
            raise BrokenLocationError(messages.BROKEN_BACKEND(setting=setting, reason=error_text(error))) from error


def require_sound(assets: Sequence[ExtraAsset], all_checks: list[dg.AssetChecksDefinition], lanes: list[Lane]) -> None:
    """Raise if a check is on a key that does not exist, or a registry entry has no gate; Dagster accepts both.

    Args:
        assets: Assets of the code location.
        all_checks: Checks of the code location.
        lanes: Lanes whose registry entries need a gate.

    Raises:
        BrokenLocationError: If a check has no asset, or a registry entry has no blocking gate.
    """
    keys = {key for asset in assets for key in list_keys(asset)}
    specs = [spec for check in all_checks for spec in check.check_specs]
    if lost := [f"{s.name} on {s.asset_key.to_user_string()}" for s in specs if s.asset_key not in keys]:
        names = sorted(key.to_user_string() for key in keys)
        raise BrokenLocationError(messages.CHECK_WITHOUT_ASSET(checks=lost, assets=names))
    gated = {spec.asset_key for spec in specs if spec.blocking and spec.name == checks.GATE}
    for lane in lanes:
        key = asset_key(lane.registry_entry)
        entry = next(a for a in assets if isinstance(a, dg.AssetsDefinition) and key in a.keys)
        if not gated & set(entry.asset_deps[key]):
            raise BrokenLocationError(messages.ENTRY_WITHOUT_GATE(entry=lane.registry_entry, gate=checks.GATE))
