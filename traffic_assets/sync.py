"""Reports of published partitions to a Dagster instance that does not know them, without computing them again.

    plan_sync: pointers and versions in storage, compared with the latest materializations
    report:    one materialization for each partition that Dagster does not know, upstream assets first

A partition is known if its latest materialization names the current generation (of a registry entry: the version) at
its current URI. So a second sync reports nothing. Partitions that only Dagster knows are listed and stay as they are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import IO_MANAGERS
from traffic_assets.assets.lanes import list_lanes
from traffic_assets.assets.registry import describe_version, get_registry
from traffic_assets.assets.training import FEATURES_ID, SPLIT_ASSETS, describe_split
from traffic_assets.dagster_hdfs.generation import UNPARTITIONED, Generation
from traffic_assets.dagster_hdfs.io_managers.base import describe_generation
from traffic_assets.dagster_hdfs.message import CodedText, error_text
from traffic_assets.dagster_hdfs.publish import Dataset, PointerError
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import redact
from traffic_assets.history import (
    GENERATION,
    count_partitions,
    fetch_latest,
    is_stored_below,
    latest_ids,
    mark_sync,
    read_text,
)
from traffic_assets.messages import history as messages
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import training_window
from traffic_assets.readings.completeness import COMPLETENESS
from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import sync

REPORTED_BY, COMMAND = "reported_by", "traffic-assets sync"
"""Metadata that distinguishes such a materialization, and its value."""
VERSION = "version"
DATA_VERSION, CODE_VERSION = "dagster/data_version", "dagster/code_version"
"""Dagster's tags of a materialization that has a data version, or a code version."""
INPUT_POINTER, INPUT_VERSION = "dagster/input_event_pointer/", "dagster/input_data_version/"
"""Beginning of Dagster's tags about an upstream asset: newest storage id, and data version."""
NO_EVENT, INITIAL = "NULL", "INITIAL"
"""Dagster's values for an asset without a materialization, and for a materialization without a data version."""
REPORTS_PER_MARK = 50
"""Number of reports after which the progress is printed and the training sensor waits longer."""

Published = Generation | VersionMetadata
"""What storage contains of a partition."""
Notify = Callable[[str], None]


@dataclass(frozen=True)
class AssetPlan:
    """The partitions of an asset that Dagster and storage do not both know.

    Attributes:
        key: Asset key as Dagster knows it.
        root: URI of the folder that contains the partitions.
        upstream: Keys of the assets that it depends on.
        published: Current generation or newest version by partition.
        unreported: Partitions to report, in the order in which they were published.
        lost: Partitions that Dagster knows and storage lacks, sorted.
    """

    key: dg.AssetKey
    root: str
    upstream: list[dg.AssetKey]
    published: Mapping[str, Published]
    unreported: list[str]
    lost: list[str]

    def describe_lost(self) -> CodedText | None:
        """Return the message about partitions that storage lacks; None without any."""
        if not self.lost:
            return None
        asset = self.key.to_user_string()
        return messages.NOT_STORED(asset=asset, root=redact(self.root), **count_partitions(self.lost))


def plan_sync(
    defs: dg.Definitions, settings: Settings, instance: dg.DagsterInstance, hdfs: HdfsResource, notify: Notify
) -> list[AssetPlan]:
    """Compare every asset of a code location with storage, upstream assets first.

    Args:
        defs: Code location of the deployment.
        settings: Settings of the deployment.
        instance: Dagster instance to report to.
        hdfs: Storage of the deployment.
        notify: Callback for progress, and for each record that cannot be read.
    """
    versions = _read_versions(settings, hdfs, notify)
    plans: dict[dg.AssetKey, AssetPlan] = {}
    for key, partitions, upstream in _list_assets(defs):
        if key in versions:
            published: dict[str, Published] = {w: v for w, v in versions[key].items() if w in partitions}
            root = get_registry(hdfs).root
        else:
            dataset = hdfs.dataset(key)
            root, published = dataset.root, dict(_read_generations(dataset, settings, partitions, notify))
        unreported, lost = _compare(instance, key, published, partitions, root)
        plans[key] = AssetPlan(key, root, upstream, published, unreported, lost)
        if published:
            notify(f"{key.to_user_string()}: {len(published)} published")
    return _with_splits_of_reported_days(plans, settings)


def report(
    plans: list[AssetPlan], settings: Settings, instance: dg.DagsterInstance, hdfs: HdfsResource, notify: Notify
) -> int:
    """Report the partitions of a plan to Dagster, and return their number.

    The training sensor waits meanwhile. Otherwise it would see features without the splits that include them, and train
    every week again.
    """
    features = next((plan for plan in plans if plan.key == add_key_prefix(FEATURE_TABLE, settings.deployment)), None)
    count, total = 0, sum(len(plan.unreported) for plan in plans)
    mark_sync(instance, settings.deployment)
    try:
        for plan in plans:
            if not plan.unreported:
                continue
            ids = latest_ids(instance, features.key) if features else {}
            inputs = _input_tags(instance, plan)
            for partition in plan.unreported:
                metadata = _describe(plan, partition, features, ids, settings, hdfs)
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(
                        plan.key,
                        partition=None if partition == UNPARTITIONED else partition,
                        metadata=metadata,
                        tags=_build_tags(plan.published[partition], inputs),
                    )
                )
                count += 1
                if count % REPORTS_PER_MARK == 0:
                    mark_sync(instance, settings.deployment)
                    notify(f"{count} of {total} partitions reported")
    finally:
        mark_sync(instance, settings.deployment, ended=True)
    return count


def newest_included_id(
    split: Generation, days: Mapping[str, Published], ids: Mapping[str, int], settings: Settings
) -> int:
    """Return the storage id up to which the splits of a week include every day of its window.

    Args:
        split: Generation of the splits.
        days: Current generation of each day.
        ids: Storage id of the latest materialization of each day.
        settings: Settings of the deployment.
    """
    newer = [ids[day] for day in _newer_days(split, days, settings) if day in ids]
    return min(newer) - 1 if newer else max(ids.values(), default=0)


def _newer_days(split: Generation, days: Mapping[str, Published], settings: Settings) -> list[str]:
    """Return the days of a week's window with rows that its splits do not include because they are newer.

    A day that is older than the newest day of the splits, and not in them, had no rows or was outside the window.
    """
    included: Mapping[str, str] = split.record["days"]
    newest = max(included.values(), default="")  # ids begin with the time of publishing
    return [
        day
        for day in training_window(split.partition, settings)
        if isinstance(generation := days.get(day), Generation)
        and generation.record.get("rows") != 0
        and (generation.id != included[day] if day in included else generation.id > newest)
    ]


def _list_assets(defs: dg.Definitions) -> Iterator[tuple[dg.AssetKey, set[str], list[dg.AssetKey]]]:
    """Yield key, valid partitions and upstream keys of each asset in our storage, upstream assets first."""
    graph = defs.resolve_asset_graph()
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        if not node.is_materializable or node.assets_def.get_io_manager_key_for_asset_key(key) not in IO_MANAGERS:
            continue
        partitions = node.partitions_def
        valid = set(partitions.get_partition_keys()) if partitions else {UNPARTITIONED}
        yield key, valid, sorted(node.parent_keys)


def _compare(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    published: Mapping[str, Published],
    partitions: set[str],
    root: str,
) -> tuple[list[str], list[str]]:
    """Return the partitions to report in the order of publishing, and those that storage lacks."""
    latest = fetch_latest(instance, key)

    def is_known(partition: str) -> bool:
        record = latest.get(partition)
        if record is None or not is_stored_below(record, root):
            return False
        return read_text(record, _id_name(published[partition])) == _get_id(published[partition])

    unreported = [partition for partition in published if not is_known(partition)]
    lost = sorted(partitions.intersection(latest).difference(published))
    return _in_order(unreported, published), lost


def _with_splits_of_reported_days(plans: dict[dg.AssetKey, AssetPlan], settings: Settings) -> list[AssetPlan]:
    """Return the plans, with the known splits that include a day to report; otherwise they would seem to be older."""
    features = plans.get(add_key_prefix(FEATURE_TABLE, settings.deployment))
    for name in SPLIT_ASSETS.values():
        plan = plans.get(key := add_key_prefix(name, settings.deployment))
        if plan is None or features is None:
            continue
        again = [
            week
            for week, split in plan.published.items()
            if week not in plan.unreported
            and isinstance(split, Generation)
            and set(features.unreported).intersection(split.record["days"])
            and not _newer_days(split, features.published, settings)
        ]
        plans[key] = replace(plan, unreported=_in_order([*plan.unreported, *again], plan.published))
    return list(plans.values())


def _read_generations(
    dataset: Dataset, settings: Settings, partitions: set[str], notify: Notify
) -> Iterator[tuple[str, Generation]]:
    for partition in dataset.partitions():
        if partition not in partitions:
            continue
        try:
            current = dataset.current(partition)
        except PointerError as error:
            notify(str(_describe_unreadable(error, settings)))
            continue
        if current is not None:
            yield partition, current


def _describe_unreadable(error: Exception, settings: Settings) -> CodedText:
    return messages.UNREADABLE(cause=error_text(error), command=sync(settings))


def _read_versions(
    settings: Settings, hdfs: HdfsResource, notify: Notify
) -> dict[dg.AssetKey, dict[str, VersionMetadata]]:
    """Return the newest version of each week, by the key of the registry entry."""
    registry = get_registry(hdfs)
    keys = {lane.id: add_key_prefix(lane.registry_entry, settings.deployment) for lane in list_lanes(settings)}
    versions: dict[dg.AssetKey, dict[str, VersionMetadata]] = {key: {} for key in keys.values()}
    for metadata in registry.all_versions(lambda error: notify(str(_describe_unreadable(error, settings)))):
        if metadata.lane in keys:
            versions[keys[metadata.lane]][metadata.training.week] = metadata
    return versions


def _describe(
    plan: AssetPlan,
    partition: str,
    features: AssetPlan | None,
    ids: Mapping[str, int],
    settings: Settings,
    hdfs: HdfsResource,
) -> dict[str, Any]:
    """Return the metadata of a published partition, from its record."""
    published = plan.published[partition]
    metadata: dict[str, Any] = {
        REPORTED_BY: COMMAND,
        "published_at": dg.MetadataValue.timestamp(_published_at(published)),
        "run_id": published.run_id if isinstance(published, Generation) else published.training.run_id,
    }
    if isinstance(published, VersionMetadata):
        return metadata | describe_version(published, get_registry(hdfs))
    splits = {add_key_prefix(name, settings.deployment): split for split, name in SPLIT_ASSETS.items()}
    if plan.key not in splits:
        counted = {name: share for name, share in published.record.items() if name == COMPLETENESS}
        return metadata | counted | describe_generation(published, hdfs.column_descriptions)
    included = newest_included_id(published, features.published if features else {}, ids, settings)
    return {
        **metadata,
        **describe_split(splits[plan.key], published, hdfs, settings.training),
        FEATURES_ID: included,
    }


def _build_tags(published: Published, inputs: Mapping[str, str]) -> dict[str, str]:
    """Return Dagster's tags about versions."""
    if isinstance(published, VersionMetadata):
        return {DATA_VERSION: published.version}
    version = published.record.get("code_version")
    return {CODE_VERSION: version, **inputs} if version else {}


def _input_tags(instance: dg.DagsterInstance, plan: AssetPlan) -> dict[str, str]:
    """Return Dagster's tags about the upstream assets; without them it would call each a new dependency."""
    tags: dict[str, str] = {}
    for key in plan.upstream:
        name, pointer, version = key.to_user_string(), NO_EVENT, INITIAL
        for newest in instance.fetch_materializations(key, limit=1).records:
            materialization = newest.asset_materialization
            pointer = str(newest.storage_id)
            version = (materialization.tags or {}).get(DATA_VERSION, INITIAL) if materialization else INITIAL
        tags |= {f"{INPUT_POINTER}{name}": pointer, f"{INPUT_VERSION}{name}": version}
    return tags


def _in_order(partitions: Iterable[str], published: Mapping[str, Published]) -> list[str]:
    """Return partitions in the order in which they were published."""
    return sorted(partitions, key=lambda partition: _published_at(published[partition]))


def _id_name(published: Published) -> str:
    return GENERATION if isinstance(published, Generation) else VERSION


def _get_id(published: Published) -> str:
    return published.id if isinstance(published, Generation) else published.version


def _published_at(published: Published) -> datetime:
    return published.published_at if isinstance(published, Generation) else published.created_at
