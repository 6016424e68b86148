"""The prefix of a deployment: names by which Dagster tells apart several networks on one instance.

The setting `deployment` prefixes asset keys, jobs, sensors and the tags that code filters by. Paths in storage, lanes,
steps and stored JSON never have the prefix. Without the setting, each function returns its argument unchanged.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg

Asset = dg.AssetsDefinition | dg.AssetSpec | dg.SourceAsset
"""An asset: computed, or only described."""
DEPLOYMENT_TAG = "deployment"
"""Tag of assets in the Dagster UI: the deployment."""
RUN_TAG = "traffic_assets/deployment"
"""Tag of the runs of the jobs: the deployment."""
Definition = TypeVar("Definition", bound=dg.AssetsDefinition)
Keys = Mapping[dg.AssetKey, dg.AssetKey]
"""New asset key by old key."""


def add_key_prefix(key: dg.AssetKey | str, deployment: str) -> dg.AssetKey:
    """Return an asset key as Dagster knows it.

    >>> add_key_prefix("flow/random_forest_model", "san_diego").to_user_string()
    'san_diego/flow/random_forest_model'
    """
    key = dg.AssetKey.from_user_string(key) if isinstance(key, str) else key
    return key.with_prefix(deployment) if deployment else key


def add_name_prefix(name: str, deployment: str) -> str:
    """Return the name of a job or sensor as Dagster knows it.

    >>> add_name_prefix("train", "san_diego")
    'san_diego_train'
    """
    return f"{deployment}_{name}" if deployment else name


def add_tag_prefix(tag: str, deployment: str) -> str:
    """Return the name of a run's tag that code filters by.

    >>> add_tag_prefix("traffic_assets/features_storage_id", "san_diego")
    'san_diego.traffic_assets/features_storage_id'
    """
    return f"{deployment}.{tag}" if deployment else tag


def list_keys(asset: Asset) -> list[dg.AssetKey]:
    """Return the keys of an asset definition."""
    return list(asset.keys) if isinstance(asset, dg.AssetsDefinition) else [asset.key]


def add_prefixes(
    assets: Sequence[Asset], checks: Sequence[dg.AssetChecksDefinition], deployment: str
) -> tuple[list[Asset], list[dg.AssetChecksDefinition]]:
    """Return assets and checks with the deployment in the keys of the assets; keys of other assets do not change.

    Args:
        assets: All assets of the code location, so that dependencies between them follow.
        checks: Checks on these assets.
        deployment: Setting `deployment`.
    """
    if not deployment:
        return list(assets), list(checks)
    keys = {key: add_key_prefix(key, deployment) for asset in assets for key in list_keys(asset)}
    return [_replace_keys(asset, keys, deployment) for asset in assets], [_replace(check, keys) for check in checks]


def _replace_keys(asset: Asset, keys: Keys, deployment: str) -> Asset:
    """Return an asset with new keys, and with the tag of the deployment if it can have tags."""
    tags = {DEPLOYMENT_TAG: deployment}
    if isinstance(asset, dg.AssetsDefinition):
        return _replace(asset, keys).map_asset_specs(lambda spec: spec.merge_attributes(tags=tags))
    if isinstance(asset, dg.AssetSpec):
        return asset.replace_attributes(key=keys[asset.key], deps=_replace_deps(asset.deps, keys)).merge_attributes(
            tags=tags
        )
    return asset.with_attributes(key=keys[asset.key])


def _replace(definition: Definition, keys: Keys) -> Definition:
    """Return a definition of assets or checks with new keys; Dagster would leave the other assets of a check as is."""
    replaced = definition.with_attributes(asset_key_replacements=keys)
    attributes: dict[str, Any] = replaced.get_attributes_dict()
    specs = replaced.node_check_specs_by_output_name
    attributes["check_specs_by_output_name"] = {name: _replace_other_assets(spec, keys) for name, spec in specs.items()}
    return type(definition)(**attributes)


def _replace_other_assets(spec: dg.AssetCheckSpec, keys: Keys) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=spec.name,
        asset=spec.asset_key,
        description=spec.description,
        additional_deps=_replace_deps(spec.additional_deps, keys),
        blocking=spec.blocking,
        metadata=spec.metadata,
        automation_condition=spec.automation_condition,
        partitions_def=spec.partitions_def,
    )


def _replace_deps(deps: Any, keys: Keys) -> list[dg.AssetDep]:
    return [
        dg.AssetDep(
            keys.get(dep.asset_key, dep.asset_key), partition_mapping=dep.partition_mapping, metadata=dep.metadata
        )
        for dep in deps
    ]
