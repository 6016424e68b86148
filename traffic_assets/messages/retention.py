"""Messages about retention. None of them fails a run, because the model is registered before anything is removed."""

from traffic_assets.dagster_hdfs.message import Message

REFERENCES_UNKNOWN = Message(
    code="retention.references-unknown",
    problem="Nothing is pruned, because the generations that registered versions need are unknown. Cause: {cause}",
    fix="remove the cause; the next registration prunes again",
    example={"cause": "random_forest v1.0.0 at file:///data/traffic/models/random_forest/v1.0.0 is damaged"},
)
DATASET_NOT_PRUNED = Message(
    code="retention.dataset-not-pruned",
    problem="{asset} could not be pruned completely: old generations may remain below {root}. Cause: {cause}",
    fix="remove the cause; the next registration prunes again",
    example={"asset": "feature_table", "root": "file:///data/traffic/processed/ml-features", "cause": "disk full"},
)
REGISTRY_NOT_PRUNED = Message(
    code="retention.registry-not-pruned",
    problem="The registry could not be pruned completely: files of killed registrations may remain below {root}. "
    "Cause: {cause}",
    fix="remove the cause; the next registration prunes again",
    example={"root": "file:///data/traffic/models", "cause": "Permission denied"},
)
