"""The check on partitions that were built with other settings or code than the current ones.

It has one result for all partitions of an asset, because a change of the settings concerns all of them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from traffic_assets.assets.day_settings import (
    current_fingerprint,
    days_to_rebuild,
    find_outdated,
    rebuild_commands,
    summarize_days,
)
from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.keys import asset_key
from traffic_assets.catalogue.fingerprint import Fingerprint, without_repeated
from traffic_assets.checks.results import check_result
from traffic_assets.dagster_hdfs.failures import fails_with_code, shorten
from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text
from traffic_assets.dagster_hdfs.publish import UNPARTITIONED, Dataset, Generation, PointerError
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import retried_connection_errors
from traffic_assets.dagster_hdfs.threads import map_in_threads
from traffic_assets.messages import checks as messages
from traffic_assets.settings import Settings

CURRENT_SETTINGS = "built_with_current_settings"
VALUES_SHOWN = 10
"""Stored values of a setting that a message shows; the others are counted."""
DESCRIPTIONS = {
    CURRENT_SETTINGS: "The stored partitions were built with the current settings and code. Only warns.",
}


def build_outdated(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Return the check on each asset whose partitions have fingerprints."""
    readings = ["sensor_table", "sensor_readings"] if settings.data.kind == "readings" else []
    return [_check(asset, settings) for asset in (*readings, FEATURE_TABLE)]


def evaluate_settings(
    asset: str,
    generations: Mapping[str, Generation],
    current: Fingerprint,
    settings: Settings,
    damaged: Sequence[CodedText] = (),
) -> dg.AssetCheckResult:
    """Check that partitions were built with the current settings and code.

    Args:
        asset: Name of the asset.
        generations: Current generation by partition.
        current: Fingerprint that a partition would have if it were built now.
        settings: Settings of the deployment.
        damaged: Message of each partition whose pointer cannot be read; the check fails with the first.
    """
    outdated, unknown = find_outdated(generations, current)
    shown = _describe_differences(outdated)
    failed = None
    if outdated and UNPARTITIONED in generations:
        failed = messages.OUTDATED_TABLE(asset=asset, settings=shown)
    elif outdated:
        days, commands = summarize_days(outdated), rebuild_commands(days_to_rebuild(outdated), settings)
        failed = messages.OUTDATED(asset=asset, partitions=days, settings=shown, commands=commands)
    elif damaged:
        failed = damaged[0]
    metadata = {
        "outdated": shorten({key: sorted(without_repeated(differences)) for key, differences in outdated.items()}),
        "settings_not_recorded": shorten(unknown),
        **({"damaged": shorten([str(text) for text in damaged])} if damaged else {}),
    }
    passed = "Every partition was built with the current settings and code, as far as its record tells."
    return check_result(passed, failed, metadata, warn=True)


def _describe_differences(outdated: Mapping[str, Mapping[str, tuple[Any, Any]]]) -> dict[str, str]:
    """Return the stored values of each setting and the current one; several stored values with their partitions.

    >>> _describe_differences({"2026-01-05": {"a": (40, 65)}, "2026-01-06": {"a": (50, 65)}})
    {'a': '40 on 2026-01-05; 50 on 2026-01-06, now 65'}
    """
    stored: dict[str, dict[str, list[str]]] = {}
    current: dict[str, str] = {}
    for key, differences in outdated.items():
        for name, (value, now) in without_repeated(differences).items():
            stored.setdefault(name, {}).setdefault(json.dumps(value), []).append(key)
            current[name] = json.dumps(now)
    return {name: f"{_describe_values(groups)}, now {current[name]}" for name, groups in stored.items()}


def _describe_values(groups: Mapping[str, list[str]]) -> str:
    if len(groups) == 1:
        return next(iter(groups))
    shown = [f"{value} on {summarize_days(days)}" for value, days in list(groups.items())[:VALUES_SHOWN]]
    hidden = len(groups) - len(shown)
    return "; ".join([*shown, *([f"{hidden} other values"] if hidden else [])])


def _check(asset: str, settings: Settings) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset_key(asset), name=CURRENT_SETTINGS, description=DESCRIPTIONS[CURRENT_SETTINGS])
    @fails_with_code
    def check(context: dg.AssetCheckExecutionContext, hdfs: HdfsResource) -> dg.AssetCheckResult:
        with retried_connection_errors(hdfs.base_uri):
            generations, damaged = _read_generations(hdfs.dataset(asset))
            sensors, _ = _read_generations(hdfs.dataset("sensor_table"))
        center = None
        if UNPARTITIONED in sensors and settings.data.kind == "readings":
            center = sensors[UNPARTITIONED].record["facts"].get("mean_position")
        return evaluate_settings(asset, generations, current_fingerprint(asset, settings, center), settings, damaged)

    return check


def _read_generations(dataset: Dataset) -> tuple[dict[str, Generation], list[CodedText]]:
    """Return the current generations of a dataset, and the message of each damaged pointer."""

    def read(key: str) -> Generation | PointerError | None:
        try:
            return dataset.current(key)
        except PointerError as error:
            return error

    keys = dataset.partitions()
    read_by_key = dict(zip(keys, map_in_threads(read, keys), strict=True))
    generations = {key: value for key, value in read_by_key.items() if isinstance(value, Generation)}
    errors = [value for value in read_by_key.values() if isinstance(value, PointerError)]
    return generations, [text for error in errors if (text := find_coded_text(error))]
