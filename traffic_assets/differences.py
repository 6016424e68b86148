"""Differences between Dagster's history and storage, for the training sensor, the start of a run and commands."""

from contextlib import suppress

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import FEATURES, TRAIN
from traffic_assets.assets.lanes import Lane, list_lanes
from traffic_assets.assets.registry import get_registry
from traffic_assets.assets.training import SPLIT_ASSETS, newest_id
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.uris import redact
from traffic_assets.history import compare_with_storage, fetch_newest, is_writing, read_text
from traffic_assets.messages import history as messages
from traffic_assets.naming import add_key_prefix, add_name_prefix
from traffic_assets.partitions import build_daily_partitions, build_weekly_partitions
from traffic_assets.registry.versions import RegistryError
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import sync


def list_differences(
    instance: dg.DagsterInstance,
    settings: Settings,
    hdfs: HdfsResource,
    lists: bool = True,
    own_run: str | None = None,
) -> list[CodedText]:
    """Return what Dagster and storage do not both know of the features and the splits.

    While a run writes them, only the place of the newest materialization is compared: a run publishes partitions before
    it reports them.

    Args:
        instance: Dagster instance with the materializations.
        settings: Settings of the deployment.
        hdfs: Storage of the deployment.
        lists: False to list no folder, because the first listing of a Hadoop URI starts Java.
        own_run: Id of the run that compares, before its first step.
    """
    features, train_split = (add_key_prefix(key, settings.deployment) for key in (FEATURE_TABLE, SPLIT_ASSETS["train"]))
    if not lists and not newest_id(instance, features):
        facts = {"asset": features.to_user_string(), "base": redact(hdfs.base_uri)}
        return [messages.NOTHING_KNOWN(**facts, command=sync(settings))]
    jobs = [add_name_prefix(job, settings.deployment) for job in (FEATURES, TRAIN)]
    lists = lists and not is_writing(instance, {features, train_split}, jobs, own_run)
    compared = (
        compare_with_storage(instance, settings, hdfs, features, build_daily_partitions(settings), lists),
        compare_with_storage(instance, settings, hdfs, train_split, build_weekly_partitions(settings), lists),
    )
    return [text for difference in compared for text in difference.describe(settings)]


def describe_model_differences(
    instance: dg.DagsterInstance, settings: Settings, hdfs: HdfsResource
) -> CodedText | None:
    """Return the message with the models and registry entries that Dagster and storage do not both know; None if none.

    Args:
        instance: Dagster instance with the materializations.
        settings: Settings of the deployment.
        hdfs: Storage of the deployment.
    """
    lanes, weeks = list_lanes(settings), build_weekly_partitions(settings)
    models = {lane.id: add_key_prefix(lane.model, settings.deployment) for lane in lanes}
    entries = {lane.id: add_key_prefix(lane.registry_entry, settings.deployment) for lane in lanes}
    if is_writing(instance, {*models.values(), *entries.values()}, [add_name_prefix(TRAIN, settings.deployment)]):
        return None
    different = [
        key for key in models.values() if compare_with_storage(instance, settings, hdfs, key, weeks).describe(settings)
    ]
    different += [entries[lane.id] for lane in lanes if _versions_differ(instance, hdfs, lane, entries[lane.id])]
    assets = [key.to_user_string() for key in different]
    return messages.MODELS_DIFFER(assets=assets, command=sync(settings)) if different else None


def _versions_differ(instance: dg.DagsterInstance, hdfs: HdfsResource, lane: Lane, entry: dg.AssetKey) -> bool:
    """Return whether the newest version of a lane that either side has is missing on the other."""
    registry = get_registry(hdfs)
    versions = registry.versions(lane.id)
    reported = [read_text(record, "version") for record in instance.fetch_materializations(entry, limit=1).records]
    if not versions or not reported:
        return bool(versions or reported)
    with suppress(RegistryError):  # `traffic-assets models list` reports damage
        newest = registry.metadata(lane.id)
        known = fetch_newest(instance, entry, newest.training.week)
        return reported[0] not in versions or known is None or read_text(known, "version") != newest.version
    return False
