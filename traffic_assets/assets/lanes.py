"""Lanes: their names, the keys of their assets, and checks on the inputs of their steps.

    cross-validation report -> model -> diagnostics   -> evaluation -> registry entry
                            -> temporal holdout       ->

The steps are in `lane_training.py` (cross-validation report, model), `lane_evaluation.py` (temporal holdout,
diagnostics, evaluation) and `registry.py`. Checks take their keys from the lane too, so a gate cannot name an asset
that does not exist.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from traffic_assets.assets.group import MODEL_TAG, TARGET_TAG
from traffic_assets.assets.keys import add_target_prefix
from traffic_assets.assets.launchpad import CV_REPORT
from traffic_assets.assets.training import PREPROCESSOR
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.messages import assets as messages
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.settings import Settings
from traffic_assets.settings.target import DEFAULT_TARGET, Target

TRAINING, EVALUATION = "training", "evaluation"


@dataclass(frozen=True)
class Lane:
    """One model of one target, and the keys of its assets.

    Attributes:
        model_name: Name of the algorithm.
        target: Predicted variable; the keys of the default target have no prefix.
    """

    model_name: str
    target: Target = DEFAULT_TARGET

    @property
    def id(self) -> str:
        """Name in asset keys, storage paths and on the command line: `[<target>/]<model>`."""
        return add_target_prefix(self.model_name, self.target)

    @property
    def title(self) -> str:
        """Name in the UI, in reports and in messages."""
        title = algorithm_named(self.model_name).title
        return title if self.target == DEFAULT_TARGET else f"{title} ({self.target})"

    @property
    def tags(self) -> dict[str, str]:
        """Tags of its assets in the Dagster UI."""
        return {MODEL_TAG: self.model_name, TARGET_TAG: self.target}

    @property
    def thresholds_setting(self) -> str:
        """Path of its thresholds below `evaluation` in the settings."""
        section = "thresholds" if self.target == DEFAULT_TARGET else f"other_thresholds.{self.target}"
        return f"{section}.{self.model_name}"

    def key(self, step: str) -> str:
        """Return the key of one of its assets: `<lane>_<step>`."""
        return f"{self.id}_{step}"

    @property
    def preprocessor(self) -> str:
        """Key of the preprocessor that the lanes of its target share."""
        return add_target_prefix(PREPROCESSOR, self.target)

    @property
    def cv_report(self) -> str:
        """Key of the cross-validation report."""
        return self.key(CV_REPORT)

    @property
    def model(self) -> str:
        """Key of the fitted model."""
        return self.key("model")

    @property
    def temporal_verdict(self) -> str:
        """Key of the evaluation on the temporal holdout."""
        return self.key("temporal_verdict")

    @property
    def diagnostics(self) -> str:
        """Key of the diagnostics of the stored model, which depend on no gate."""
        return self.key("diagnostics")

    @property
    def evaluation(self) -> str:
        """Key of the evaluation, which has the gate."""
        return self.key("evaluation")

    @property
    def registry_entry(self) -> str:
        """Key of the registry entry, which depends on the gate."""
        return self.key("registry_entry")


def list_lanes(settings: Settings) -> list[Lane]:
    """Return the lanes of a deployment: each enabled model for each target."""
    return [Lane(name, target) for target in settings.training.targets for name in settings.enabled_models]


def require_same_split(inputs: dict[str, AssetInput]) -> str:
    """Return the id of the split that all inputs come from.

    Raises:
        dagster.Failure: If the inputs come from different splits.
    """
    ids = {name: stored.record["split_id"] for name, stored in inputs.items()}
    if len(set(ids.values())) > 1:
        raise dg.Failure(messages.DIFFERENT_SPLITS(splits=ids), allow_retries=False)
    return next(iter(ids.values()))


def require_scaler(lane: Lane, fitted_preprocessor: AssetInput) -> None:
    """Raise if the lane needs scaled vectors and the preprocessor has no scaler.

    Raises:
        dagster.Failure: If the preprocessor was fitted when no enabled model needed a scaler.
    """
    if not algorithm_named(lane.model_name).scale_invariant and not fitted_preprocessor.record.get("scaled", True):
        text = messages.NO_SCALER(preprocessor=lane.preprocessor, title=lane.title)
        raise dg.Failure(text, allow_retries=False)


@contextmanager
def scratch_folder(context: dg.AssetExecutionContext, hdfs: HdfsResource, lane: Lane) -> Iterator[str]:
    """Yield a folder for the intermediate models of a search, and remove it afterwards."""
    dataset = hdfs.dataset(lane.cv_report)
    staged = dataset.stage(context.run.run_id)
    try:
        yield f"{staged}/models"
    finally:
        dataset.discard(staged)


def model_folder(pipeline_uri: str, hdfs: HdfsResource) -> str:
    """Return the URI of the model inside a stored pipeline: its last stage."""
    stages = hdfs.filesystem.list(f"{pipeline_uri}/stages")
    return max(stages, key=lambda entry: int(entry.name.split("_", 1)[0])).uri
