"""The messages of this package."""

from traffic_assets.dagster_hdfs.message import Message

RANGE_OF_ONE = Message(
    code="storage.range-of-one",
    problem="{manager} stores one partition at a time, but the range has {count} ({first} to {last})",
    expected="a run of one partition",
    fix="leave backfill_policy=single_run() out of the asset, or set partition_column for a DataFrame",
    example={"manager": "SparkModelIOManager", "count": 3, "first": "2026-01-05", "last": "2026-01-19"},
)
RANGE_NOT_COMPLETE = Message(
    code="storage.range-not-complete",
    problem="The value of a range of {count} partitions is not complete ({given})",
    expected="a mapping of partition key to document",
    fix="return one document for each partition",
    example={"count": 2, "given": "no document for 2026-01-06"},
)
UNSUPPORTED_DAGSTER = Message(
    code="storage.unsupported-dagster",
    problem="Dagster {version} has no OutputContext.{attribute}, so partitions that a run refuses would be recorded as "
    "materialized",
    expected="a version that has it",
    fix="install the version that constraints.txt names",
    example={"version": "1.14.0", "attribute": "_asset_partitions_subset"},
)
