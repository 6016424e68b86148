"""Messages about old names that keep working until 1.0."""

from traffic_assets.dagster_hdfs.message import Message

MOVED = Message(
    code="deprecation.moved",
    problem="{old} has moved to {new}; the old import works until 1.0",
    fix="import it from there",
    example={"old": "traffic_assets.ml.metric_spec.Metric", "new": "traffic_assets.ml.metrics.spec"},
)
RENAMED = Message(
    code="deprecation.renamed",
    problem="{old} is now {new}; the old name works until 1.0",
    fix="use the new name",
    example={"old": "EvaluationSettings.targets", "new": "EvaluationSettings.thresholds"},
)
