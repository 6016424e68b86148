"""A change of each setting of the section `data`, for tests that no change passes unnoticed."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """Settings of the section `data` before and after a change."""

    after: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)


FILLING = {"forward_fill": True, "longest_gap_minutes": 15}

CHANGES: dict[str, Change] = {
    "source": Change({"source": "file:///elsewhere/readings"}),
    "kind": Change({"kind": "features"}),
    "format": Change({"format": "csv"}, {"format": "parquet"}),
    "sensors_source": Change({"sensors_source": "file:///elsewhere/sensors.csv"}),
    "aliases": Change({"aliases": {"q": "flow"}}),
    "time_zone": Change({"time_zone": "America/Tijuana"}),  # the same hours as Los Angeles
    "timestamps": Change({"timestamps": "local"}),
    "timestamp_formats": Change({"timestamp_formats": ["dd/MM/yyyy HH:mm"]}),
    "interval_minutes": Change({"interval_minutes": 1}),
    "speed_unit": Change({"speed_unit": "km/h"}),
    "first_day": Change({"first_day": "2026-01-01"}),
    "last_day": Change({"last_day": "2026-01-31"}),
    "free_flow_speed": Change({"free_flow_speed": 40}),
    "center": Change({"center": [32.0, -117.0]}),
    "rush_hours": Change({"rush_hours": [[6, 9]]}),
    "max_bad_share": Change({"max_bad_share": 0.1}),
    "minimum_completeness": Change({"minimum_completeness": 0.9}),
    "blocking_checks": Change({"blocking_checks": ["has_rows"]}),
    "fill.forward_fill": Change({"fill": {"forward_fill": True}}),
    "fill.interpolation": Change({"fill": {"interpolation": True}}),
    "fill.longest_gap_minutes": Change({"fill": FILLING | {"longest_gap_minutes": 30}}, {"fill": FILLING}),
}
"""A change by setting."""

SOURCES = {"source", "sensors_source"}
"""Settings that name places: a difference between days warns, because files may be moved."""

HARMLESS = {
    "first_day": "it decides which days exist, not what is in them; a day records whether it had the day before",
    "last_day": "it decides which days exist, not what is in them",
    "max_bad_share": "it decides which days are refused, not what is in the others",
    "minimum_completeness": "it decides which days count for training; a week compares them when it is trained",
    "blocking_checks": "it decides which checks stop a run",
}
"""Settings that the content of a day does not depend on, with the reason."""

OTHER_SECTIONS = {
    "profile": "a name",
    "models": "models read finished days",
    "training": "weeks read finished days; their own settings are compared between the steps of a week",
    "evaluation": "models are evaluated on finished days",
    "persistence": "it decides where days are stored; a place outside the base URI is in data.source",
    "spark": "it decides where rows are computed; the session's time zone is fixed and checked",
    "runs": "it decides how runs are watched",
    "deployment": "it is part of names in Dagster; paths and contents do not have it",
    "owners": "names in the UI",
}
"""Sections that the content of a day does not depend on, with the reason."""
