"""Requests: the settings that a step of a week was run with, as its record stores them, and their comparison.

A request has the resolved value of each setting by its path, so it does not matter whether a default is written into
the settings file. What a search chose is not part of a request, because two searches may choose differently. A step
compares the requests of its inputs, section by section. It refuses a mixture, such as the test error of one regParam
next to the temporal holdout of another. Each lane has a section of its own, so lanes are compared in the other sections
only.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.messages import assets as messages
from traffic_assets.settings import Settings
from traffic_assets.settings.commands import train_week
from traffic_assets.settings.training import TrainingSettings

Request = dict[str, dict[str, Any]]
"""Value by path of the setting, by section."""

REQUESTED = "requested"
"""Field of a record that contains the request."""

SPLIT, PREPARATION, FOLDS, HOLDOUT = SHARED = ("split", "preparation", "folds", "holdout")
"""Sections of a request that the lanes share: the rows that are fitted and evaluated, and their preparation."""

FIT, SEARCH = "fit", "search"
"""Parts of a lane's section; only a lane that is tuned has the second."""

_PARTS = {
    "window_weeks": SPLIT,
    "split": SPLIT,
    "seed": SPLIT,
    "features": PREPARATION,
    "exclude_features": PREPARATION,
    "preprocessing": PREPARATION,
    "folds": FOLDS,
    "fold_kind": FOLDS,
    "fold_gap_minutes": FOLDS,
    "temporal_train_share": HOLDOUT,
    "search": SEARCH,
    "max_training_time_minutes": SEARCH,
}
"""Part of a request by field of `training`; a field that is not listed belongs to the fit."""

_WITHOUT_EFFECT = ("targets", "minimum_days", "mixed_settings", "parallel_training")
"""Fields of `training` that change no result of a lane: they decide which lanes exist, whether a week is trained, and
how many fits run at the same time."""

SETTINGS = "the settings"
"""Name of a step's own request in a message."""


def request_shared(settings: Settings, *sections: str) -> Request:
    """Return the sections of a request that the lanes share."""
    return {section: training_values(settings, section) for section in sections}


def restore_training(settings: Settings, request: Request) -> TrainingSettings:
    """Return the section `training` with the values of the sections that lanes share, as a request recorded them."""
    training = settings.training.model_dump()
    for section in SHARED:
        for path, value in request.get(section, {}).items():
            *outer, name = path.split(".")[1:]
            values = training
            for key in outer:
                values = values.get(key, {})
            if name in values:
                values[name] = value
    return TrainingSettings.model_validate(training)


def merge_requests(*requests: Request) -> Request:
    """Return all sections of some requests; a later request replaces the values of an earlier one."""
    merged: Request = {}
    for request in requests:
        for section, values in request.items():
            merged[section] = merged.get(section, {}) | values
    return merged


def find_differences(requests: Mapping[str, Request]) -> dict[str, dict[str, Any]]:
    """Return the settings that differ within a section: the value in each request that has the setting, by path.

    Args:
        requests: Requests by name.
    """
    differences: dict[str, dict[str, Any]] = {}
    for section in merge_requests(*requests.values()):
        by_path: dict[str, dict[str, Any]] = {}
        for name, request in requests.items():
            for path, value in request.get(section, {}).items():
                by_path.setdefault(path, {})[name] = value
        for path, values in by_path.items():
            first, *others = values.values()
            if any(value != first for value in others):
                differences[path] = differences.get(path, {}) | values
    return differences


def find_unrecorded(requests: Mapping[str, Request]) -> dict[str, list[str]]:
    """Return the settings that a request lacks although it has their section, by name of the request.

    Args:
        requests: Requests by name.
    """
    merged = merge_requests(*requests.values())
    lacking = {
        name: [path for section, values in request.items() for path in merged[section] if path not in values]
        for name, request in requests.items()
    }
    return {name: paths for name, paths in lacking.items() if paths}


def require_same_request(
    context: dg.AssetExecutionContext,
    settings: Settings,
    inputs: Mapping[str, AssetInput],
    own: Request | None = None,
    built_from: Mapping[str, str] | None = None,
    inferred: Mapping[str, Request] | None = None,
) -> Request:
    """Return the request of a step: what its inputs and the step itself were run with.

    An input from before requests were recorded is not compared, nor is a setting that an input does not record. One
    warning names them.

    Args:
        context: Context of the step.
        settings: Settings of the deployment.
        inputs: Inputs by asset key.
        own: Request of the step itself; None if it only joins its inputs.
        built_from: Asset to materialize before an input is materialized again, by asset key of the input.
        inferred: Requests of inputs that may not record one, by asset key.

    Raises:
        dagster.Failure: If two of the requests differ.
    """
    recorded = {name: stored.record[REQUESTED] for name, stored in inputs.items() if REQUESTED in stored.record}
    every = recorded | ({SETTINGS: own} if own else {})
    known = {name: request for name, request in (inferred or {}).items() if name not in recorded} | every
    if differences := find_differences(known):
        outdated = _find_outdated(differences, inputs)
        again = [key for name in outdated for key in ((built_from or {}).get(name), name) if key]
        raise make_failure(context, settings, differences, again)
    unrecorded = {name: ["all settings"] for name in inputs if name not in recorded} | find_unrecorded(every)
    if lines := {name: ", ".join(paths) for name, paths in unrecorded.items() if name in inputs}:
        command = train_week(settings, context.partition_key)
        context.log.warning(messages.UNRECORDED_SETTINGS(inputs=lines, command=command))
    return merge_requests(*recorded.values(), own or {})


def make_failure(
    context: dg.AssetExecutionContext,
    settings: Settings,
    differences: Mapping[str, Mapping[str, Any]],
    again: Sequence[str],
) -> dg.Failure:
    """Return the failure of a step whose parts were requested differently.

    Args:
        context: Context of the step.
        settings: Settings of the deployment.
        differences: Value by name of the request, by path of the setting.
        again: Keys of the assets to materialize again.
    """
    lines = {path: _describe(values) for path, values in differences.items()}
    command = train_week(settings, context.partition_key)
    text = messages.DIFFERENT_REQUESTS(differences=lines, again=list(again), command=command)
    return dg.Failure(text, allow_retries=False)


def training_values(settings: Settings, part: str) -> dict[str, Any]:
    """Return the values of one part of the section `training`, by path."""
    values = settings.training.model_dump(mode="json", exclude=set(_WITHOUT_EFFECT))
    return {
        path: value
        for name, each in values.items()
        if _PARTS.get(name, FIT) == part
        for path, value in _flatten(f"training.{name}", each).items()
    }


def _flatten(path: str, value: Any) -> dict[str, Any]:
    """Return the values below a path; lists of features are sorted, because their order changes nothing."""
    if isinstance(value, dict):
        return {at: inner for name, each in value.items() for at, inner in _flatten(f"{path}.{name}", each).items()}
    return {path: sorted(value) if value and path.endswith("features") else value}


def _find_outdated(differences: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, AssetInput]) -> list[str]:
    """Return the inputs that differ from the settings, or from the newest input if the settings have no value."""
    outdated = set()
    for values in differences.values():
        newest = SETTINGS if SETTINGS in values else max(values, key=lambda n: inputs[n].generation.published_at)
        outdated |= {name for name, value in values.items() if value != values[newest]}
    return [name for name in inputs if name in outdated]


def _describe(values: Mapping[str, Any]) -> str:
    """Return each value with the names of the requests that have it."""
    names: dict[str, list[str]] = {}
    for name, value in values.items():
        names.setdefault(json.dumps(value, ensure_ascii=False, sort_keys=True), []).append(name)
    return "; ".join(f"{value} in {', '.join(holding)}" for value, holding in names.items())
