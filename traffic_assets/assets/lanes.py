"""Lanes: which there are, the keys of their assets, what must hold of a lane's inputs, and where its files lie.

    cv report -> model -> diagnostics   -> evaluation -> registry entry
              -> temporal verdict       ->

The steps are in `lane_training.py` (cv report, model), `lane_evaluation.py` (from there to the evaluation) and
`registry.py`. Checks take their keys from the lane as well, so that no gate can name an asset that is not there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from traffic_assets.assets.keys import of_target
from traffic_assets.assets.launchpad import CV_REPORT
from traffic_assets.assets.training import PREPROCESSOR
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.values import AssetInput
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.settings import Settings
from traffic_assets.settings.target import DEFAULT_TARGET, Target

TRAINING, EVALUATION = "training", "evaluation"


@dataclass(frozen=True)
class Lane:
    """One model of one target, and the keys of its assets.

    Attributes:
        model_name: of the algorithm.
        target: what it predicts; the default target has no prefix, ever.
    """

    model_name: str
    target: Target = DEFAULT_TARGET

    @property
    def id(self) -> str:
        """`[<target>/]<model>`: in asset keys, storage paths and on the command line."""
        return of_target(self.model_name, self.target)

    @property
    def title(self) -> str:
        """Its name for people."""
        title = algorithm_named(self.model_name).title
        return title if self.target == DEFAULT_TARGET else f"{title} of the {self.target}"

    def key(self, what: str) -> str:
        """The key of one of its assets: `<lane>_<what>`."""
        return f"{self.id}_{what}"

    @property
    def preprocessor(self) -> str:
        """Key of the preprocessor that the lanes of its target share."""
        return of_target(PREPROCESSOR, self.target)

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
        """Key of the temporal verdict."""
        return self.key("temporal_verdict")

    @property
    def diagnostics(self) -> str:
        """Key of what the stored model does on train and test rows, behind no gate."""
        return self.key("diagnostics")

    @property
    def evaluation(self) -> str:
        """Key of the evaluation, on which the gate sits."""
        return self.key("evaluation")

    @property
    def registry_entry(self) -> str:
        """Key of the registry entry, behind the gate."""
        return self.key("registry_entry")


def lanes_of(settings: Settings) -> list[Lane]:
    """Every lane of a deployment: each enabled model for each target."""
    return [Lane(name, target) for target in settings.training.targets for name in settings.enabled_models]


def require_same_split(inputs: dict[str, AssetInput]) -> str:
    """The split that all inputs were made from.

    Raises:
        dagster.Failure: naming the split of each, where they differ.
    """
    ids = {name: stored.record["split_id"] for name, stored in inputs.items()}
    if len(set(ids.values())) > 1:
        listed = ", ".join(f"{name} {split}" for name, split in ids.items())
        raise dg.Failure(
            f"made from different splits: {listed}. Run the job train for this week again, whole.", allow_retries=False
        )
    return next(iter(ids.values()))


def require_scaler(lane: Lane, fitted_preprocessor: AssetInput) -> None:
    """Refuse a preprocessor that was fitted when no lane asked for a scaled vector, where this one does.

    Raises:
        dagster.Failure: saying what to run.
    """
    if not algorithm_named(lane.model_name).scale_invariant and not fitted_preprocessor.record.get("scaled", True):
        raise dg.Failure(
            f"{lane.preprocessor} of this week was fitted without a scaler, since no lane asked for one then, and "
            f"{lane.title} does. Run the job train for this week again, whole.",
            allow_retries=False,
        )


@contextmanager
def scratch_folder(context: dg.AssetExecutionContext, hdfs: HdfsResource, lane: Lane) -> Iterator[str]:
    """A folder for what a search saves on the way; removed in the end."""
    dataset = hdfs.dataset(lane.cv_report)
    staged = dataset.stage(context.run.run_id)
    try:
        yield f"{staged}/models"
    finally:
        dataset.discard(staged)


def model_folder(pipeline_uri: str, hdfs: HdfsResource) -> str:
    """Where the bare model lies inside a stored pipeline: the last stage."""
    stages = hdfs.filesystem.list(f"{pipeline_uri}/stages")
    return max(stages, key=lambda entry: int(entry.name.split("_", 1)[0])).uri
