"""Metadata of a registered version: everything that is necessary to verify, load and reproduce it."""

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
    """Provenance of a version.

    Attributes:
        week: Training week: its Monday, ISO date.
        days: Generation of the feature table by local day.
        sensor_tables: Generations of the sensor table behind those features.
        split_id: Identifier of the split.
        splits: URI of the splits' generation.
        preprocessor: URI of the preprocessor's generation.
        model: URI of the fitted pipeline's generation.
        rows: Number of rows by split.
        seeds: Random seed by use.
        profile: Profile of the settings.
        run_id: Dagster run.
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
        """Ids of the generations to keep as long as the version; they do not depend on the base URI."""
        uris = (self.splits, self.preprocessor, self.model)
        return {uri.rsplit("/", 1)[-1] for uri in uris} | {*self.days.values(), *self.sensor_tables}


class VersionMetadata(BaseModel):
    """The `metadata.json` of a version.

    Attributes:
        lane: Id of the lane, such as random_forest.
        version: v<major>.<minor>.<patch>.
        kind: Baseline, primary or alternative.
        algorithm: Name of the algorithm.
        target: Predicted variable.
        model_class: Dotted class path of the model in `model/`.
        created_at: Time of registration, UTC.
        metrics: Metrics by split (train, test) of the model as stored.
        temporal: Temporal holdout evaluation.
        cross_validation: Best trial; None without cross-validation.
        gap: Train minus test, by metric.
        targets: Results of the gate.
        hyperparameters: Hyperparameters of the fit.
        importances: Importances of features and slots.
        facts: Further facts about the model from its algorithm.
        features: Names of numeric, categorical and missing features.
        slots: Names of the vector's slots.
        columns: Name and type of each column of the feature table.
        training: Provenance.
        model_bytes: Size of `model/` in bytes.
        training_minutes: Wall time of the fit in minutes.
        code_version: Version of this package.
        libraries: Version by library.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    lane: str
    version: str
    kind: str
    algorithm: str
    target: str = DEFAULT_TARGET  # versions from before the second target do not have it
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
    """Return the versions of the libraries that affect a model, and of packages that add an algorithm or a metric."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    added = (p for group in KINDS for p in plugins(group) if p.extension)
    return versions | {plugin.distribution: plugin.version for plugin in added}


def code_version() -> str:
    """Return the version of this package."""
    return __version__
