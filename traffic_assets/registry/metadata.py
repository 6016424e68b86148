"""What is written about a registered version: everything that is needed to trust, load and repeat it."""

import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict

from traffic_assets import __version__
from traffic_assets.settings.plugins import KINDS, plugins
from traffic_assets.settings.target import DEFAULT_TARGET

LIBRARIES = ("dagster", "pyspark", "numpy", "pandas", "pyarrow", "pydantic", "xgboost", "scikit-learn")


class Training(BaseModel):
    """What a version was made from.

    Attributes:
        week: the training week.
        days: by local day, the generation of the feature table that went in.
        sensor_tables: generations of the sensor table behind those features.
        split_id: what identifies the split.
        splits: URI of the splits' generation.
        preprocessor: URI of the exact preprocessor's generation.
        model: URI of the fitted pipeline's generation.
        rows: rows by split.
        seeds: by use.
        profile: of the settings.
        run_id: of the Dagster run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    week: str
    days: dict[str, str]
    sensor_tables: list[str]
    split_id: str
    splits: str
    preprocessor: str
    model: str
    rows: dict[str, int]
    seeds: dict[str, int]
    profile: str
    run_id: str

    @property
    def references(self) -> set[str]:
        """Ids of the generations that must stay as long as the version does, wherever the base lies now."""
        uris = (self.splits, self.preprocessor, self.model)
        return {uri.rsplit("/", 1)[-1] for uri in uris} | {*self.days.values(), *self.sensor_tables}


class VersionMetadata(BaseModel):
    """The `metadata.json` of a version.

    Attributes:
        lane: id of the lane, such as random_forest.
        version: v<major>.<minor>.<patch>.
        kind: baseline, primary or alternative.
        algorithm: name of the algorithm.
        target: what it predicts.
        model_class: of the bare model in `model/`.
        created_at: when it was registered, UTC.
        metrics: of train and test, of the model as stored.
        temporal: the temporal verdict.
        cross_validation: the chosen trial.
        gap: train minus test, by metric.
        targets: the gate's results.
        hyperparameters: of the fit.
        importances: of features and slots.
        facts: what the algorithm says of the model.
        features: names of numeric, categorical and missing features.
        slots: names of the vector's slots.
        columns: name and type of each column of the feature table.
        training: provenance.
        model_bytes: size of `model/`.
        training_minutes: wall time of the fit.
        code_version: of this package.
        libraries: versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    lane: str
    version: str
    kind: str
    algorithm: str
    target: str = DEFAULT_TARGET  # versions of a time before there was another do not say it
    model_class: str
    created_at: datetime
    metrics: dict[str, dict[str, Any]]
    temporal: dict[str, Any]
    cross_validation: dict[str, Any] | None
    gap: dict[str, float | None]
    targets: list[dict[str, Any]]
    hyperparameters: dict[str, Any]
    importances: dict[str, Any]
    facts: dict[str, Any]
    features: dict[str, Any]
    slots: list[str]
    columns: list[dict[str, str]]
    training: Training
    model_bytes: int
    training_minutes: float
    code_version: str
    libraries: dict[str, str]


def library_versions() -> dict[str, str]:
    """Versions of the libraries that shape a model, and of the packages that add an algorithm or a metric."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    added = (p for group in KINDS for p in plugins(group) if p.extension)
    return found | {plugin.distribution: plugin.version for plugin in added}


def code_version() -> str:
    """The version of this package."""
    return __version__
