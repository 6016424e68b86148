"""Comparison of stored partitions: with each other, and with the current settings and code.

A week trains on days that were built alike. Here are the differences between them and the partitions that are outdated.
What a partition depends on is defined in `catalogue/fingerprint.py`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from traffic_assets.assets.features import SENSORS_SOURCE
from traffic_assets.assets.readings import SOURCE
from traffic_assets.catalogue.clock import previous_day
from traffic_assets.catalogue.fingerprint import (
    DATASETS,
    DAY_BEFORE,
    Fingerprint,
    Part,
    features_fingerprint,
    readings_fingerprint,
    ready_made_fingerprint,
    recorded_fingerprint,
    sensors_fingerprint,
)
from traffic_assets.catalogue.lookup import column_versions, feature_columns
from traffic_assets.catalogue.sensors import LAYOUT_FINGERPRINT
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.dagster_hdfs.publish import Generation
from traffic_assets.messages import assets as messages
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import rebuild_days

Groups = dict[str, list[str]]
"""Days by value."""


@dataclass(frozen=True)
class Comparison:
    """Differences between the days of a window.

    Attributes:
        mixed: Message if the days differ in settings or content versions, which makes their rows incomparable.
        layouts: Warning if the sensors were placed differently.
        sources: Warning if the files were in different places.
        unknown: Warning if earlier code recorded nothing for some days.
    """

    mixed: CodedText | None = None
    layouts: CodedText | None = None
    sources: CodedText | None = None
    unknown: CodedText | None = None

    @property
    def warnings(self) -> list[CodedText]:
        """The differences that only warn."""
        return [text for text in (self.layouts, self.sources, self.unknown) if text]


def compare_days(days: Mapping[str, Generation], settings: Settings) -> Comparison:
    """Compare the days that a week trains on.

    Args:
        days: Generation of the features of each day.
        settings: Settings of the deployment.
    """
    fingerprints = {day: recorded_fingerprint(generation.record) for day, generation in sorted(days.items())}
    known = {day: fingerprint for day, fingerprint in fingerprints.items() if fingerprint is not None}
    unknown = sorted(day for day in days if day not in known or not known[day].reading.values)
    differences = find_differences(known, used_columns(settings))
    return Comparison(
        _describe_mixture(differences, known, settings) if differences else None,
        different_layouts(days, settings),
        _different_sources(days),
        messages.SETTINGS_NOT_RECORDED(days=unknown, commands=rebuild_commands(unknown, settings)) if unknown else None,
    )


def find_differences(fingerprints: Mapping[str, Fingerprint], columns: Iterable[str]) -> dict[str, Groups]:
    """Return the days by value for each setting, or content version of a column, in which some differ.

    The sensor table and the day before, which a day was computed from, are compared like the days themselves.

    Args:
        fingerprints: Fingerprint by day.
        columns: Columns whose content versions are compared.
    """
    differing: dict[str, Groups] = {}
    parts = {day: fingerprint.reading for day, fingerprint in fingerprints.items()}
    for day, fingerprint in fingerprints.items():
        parts |= {f"{day} ({source})": part for source, part in fingerprint.inputs.items()}
    for each in (parts, {day: fingerprint.feature for day, fingerprint in fingerprints.items()}):
        for name in dict.fromkeys(name for part in each.values() for name in part.values):
            if groups := _differing_values(name, each):
                differing[f"data.{name}"] = groups
    for column in columns:
        versions: Groups = {}
        for day, fingerprint in fingerprints.items():
            version = fingerprint.versions.get(column)
            if version is not None or column not in DATASETS:
                versions.setdefault("absent" if version is None else str(version), []).append(day)
        if len(versions) > 1:
            differing[f"content version of {column}"] = versions
    return differing


def find_outdated(
    generations: Mapping[str, Generation], current: Fingerprint
) -> tuple[dict[str, dict[str, tuple[Any, Any]]], list[str]]:
    """Return what differs from the current settings and code, by partition, and the partitions that record nothing.

    Args:
        generations: Current generation by partition.
        current: Fingerprint that the partition would have if it were built now.
    """
    outdated: dict[str, dict[str, tuple[Any, Any]]] = {}
    unknown: list[str] = []
    for key, generation in generations.items():
        fingerprint = recorded_fingerprint(generation.record)
        if fingerprint is None or not fingerprint.reading.values:
            unknown.append(key)
        elif differences := _differences_from(fingerprint, current):
            outdated[key] = differences
    return outdated, unknown


def current_fingerprint(asset: str, settings: Settings, center: Sequence[float | None] | None = None) -> Fingerprint:
    """Return the fingerprint that a partition would have if it were built now, as far as the settings determine it.

    Args:
        asset: `sensor_table`, `sensor_readings` or `feature_table`.
        settings: Settings of the deployment.
        center: Mean position of the sensors, degrees, if it is known.
    """
    data = settings.data
    if asset == "sensor_table":
        return sensors_fingerprint(data, center=center)
    if asset == "sensor_readings":
        return readings_fingerprint(data)
    if data.kind == "features":
        return ready_made_fingerprint(data)
    return features_fingerprint(data, column_versions(), sensors=sensors_fingerprint(data, center=center))


def used_columns(settings: Settings) -> list[str]:
    """Return the columns that the enabled lanes use, and the readings that all columns come from."""
    training = settings.training
    features = [
        column.name
        for target in training.targets
        for column in feature_columns(training.exclude_features, target, training.features)
    ]
    return list(dict.fromkeys((*features, *training.targets, "sensor_readings")))


def days_to_rebuild(outdated: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return outdated days, with the days before them that are outdated too.

    Args:
        outdated: What differs, by day (`Fingerprint.differences`).
    """
    before = [previous_day(d) for d, names in outdated.items() if any(name.endswith(DAY_BEFORE) for name in names)]
    return sorted({*outdated, *before})


def rebuild_commands(days: Iterable[str], settings: Settings) -> list[str]:
    """Return the commands that rebuild days, one for each range of consecutive days."""
    return [rebuild_days(settings, first, last) for first, last in _ranges(days)]


def different_layouts(days: Mapping[str, Generation], settings: Settings) -> CodedText | None:
    """Return the warning for days whose features are not fully comparable; None if they are.

    The sensor table scales, clusters and encodes positions, and every new sensor changes that a little. This is a
    warning and not an error, because one added detector must not stop all training. Days without a fingerprint (of a
    ready-made table, or of an earlier version) are accepted.
    """
    groups: Groups = {}
    for day, generation in sorted(days.items()):
        if fingerprint := generation.record.get(LAYOUT_FINGERPRINT):
            groups.setdefault(fingerprint, []).append(day)
    if len(groups) < 2:
        return None
    newest = max(groups, key=lambda fingerprint: max(days[day].published_at for day in groups[fingerprint]))
    older = sorted(day for fingerprint, group in groups.items() if fingerprint != newest for day in group)
    layouts = [f"{fingerprint}: {', '.join(group)}" for fingerprint, group in groups.items()]
    return messages.LAYOUTS_DIFFER(
        layouts="; ".join(layouts), newest=newest, older=older, commands=rebuild_commands(older, settings)
    )


def _different_sources(days: Mapping[str, Generation]) -> CodedText | None:
    groups: Groups = {}
    for day, generation in sorted(days.items()):
        for name in (SOURCE, SENSORS_SOURCE):
            if place := generation.record.get(name):
                groups.setdefault(f"data.{name} {place}", []).append(day)
    settings = {place.split()[0] for place in groups}
    if len(groups) == len(settings):
        return None
    return messages.SOURCES_DIFFER(places={place: summarize_days(group) for place, group in groups.items()})


def _describe_mixture(
    differences: Mapping[str, Groups], fingerprints: Mapping[str, Fingerprint], settings: Settings
) -> CodedText:
    current, used = current_fingerprint("feature_table", settings), used_columns(settings)
    outdated = {
        day: names
        for day, fingerprint in fingerprints.items()
        if (
            names := fingerprint.differences(current)
            | current.version_differences(fingerprint, [name for name in used if name in current.versions])
        )
    }
    shown = {
        name: "; ".join(f"{value} on {summarize_days(days)}" for value, days in groups.items())
        for name, groups in differences.items()
    }
    if settings.data.kind == "features" and not any(name.startswith("data.") for name in differences):
        lacking = sorted({day for groups in differences.values() for day in groups.get("absent", ())})
        return messages.MIXED_COLUMNS(differences=shown, commands=rebuild_commands(lacking, settings))
    return messages.MIXED_SETTINGS(
        differences=shown, commands=rebuild_commands(days_to_rebuild(outdated) or fingerprints, settings)
    )


def _differing_values(name: str, parts: Mapping[str, Part]) -> Groups:
    """Return the days by value of a setting; none if all values agree."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for day, part in parts.items():
        if name in part.values:
            groups.setdefault((json.dumps(part.values[name]), name in part.detected), []).append(day)
    first = [Part({name: parts[days[0]].values[name]}, parts[days[0]].detected & {name}) for days in groups.values()]
    if not any(a.differences(b) for a, b in combinations(first, 2)):
        return {}
    by_value: Groups = {}
    for (value, _), days in groups.items():
        by_value.setdefault(value, []).extend(days)
    return by_value


def _differences_from(fingerprint: Fingerprint, current: Fingerprint) -> dict[str, tuple[Any, Any]]:
    versions = fingerprint.version_differences(current, current.versions)
    named = {f"content version of {name}": pair for name, pair in versions.items()}
    return fingerprint.differences(current) | named


def _ranges(days: Iterable[str]) -> list[tuple[str, str]]:
    """Return first and last of each range of consecutive days."""
    ranges: list[tuple[str, str]] = []
    for day in sorted(days):
        if ranges and previous_day(day) == ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def summarize_days(days: Iterable[str]) -> str:
    """Return days as ranges: `2026-01-05 to 2026-01-07, 2026-01-09`; those of an input have its name behind them."""
    by_input: dict[str, list[str]] = {}
    for day in days:
        date, _, source = day.partition(" ")
        by_input.setdefault(source, []).append(date)
    return ", ".join(
        " ".join(filter(None, (first if first == last else f"{first} to {last}", source)))
        for source, dates in by_input.items()
        for first, last in _ranges(dates)
    )
