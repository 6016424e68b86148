"""Ensembles of the other algorithms: a weighted average, or stacking (Wolpert 1992; Breiman 1996)."""

from typing import TYPE_CHECKING, Any

from traffic_assets.ml.algorithm import ROW, Algorithm, EarlyStopping, OwnThreads, algorithm_named
from traffic_assets.settings.models.ensemble import EnsembleHyperparameters, EnsembleSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from traffic_assets.ml.estimators.ensembles import Ensemble, EnsembleModel


def _build(h: EnsembleHyperparameters, seed: int, target: str, vector: str) -> "Ensemble":
    from traffic_assets.ml.estimators.ensembles import Ensemble

    return Ensemble(featuresCol=vector, labelCol=target, rowCol=ROW, seed=seed, **h.model_dump())


def _stops_early(h: EnsembleHyperparameters) -> bool:
    """Return True if a member stops early; only such members get the validation rows."""
    return any(algorithm_named(name).stops_early(member) for name, member in h.member_hyperparameters.items())


def _uses_all_cores(h: EnsembleHyperparameters) -> bool:
    """Return True if the fit of a member uses all cores."""
    return any(algorithm_named(name).uses_all_cores(member) for name, member in h.member_hyperparameters.items())


def _with_validation_indicator(estimator: "Ensemble", column: str) -> "Ensemble":
    return estimator._set(stopCol=column)


def _importances(model: "EnsembleModel") -> "NDArray[np.float64]":
    """Return the members' importances as shares of 1, averaged by the members' weights."""
    return model.importances


def _describe(model: "EnsembleModel") -> dict[str, Any]:
    facts: dict[str, Any] = {"method": model.method}
    for member in model.members:
        facts[f"weight_{member.name}"] = member.weight
        if member.rmse is not None:
            facts[f"out_of_fold_rmse_{member.name}"] = member.rmse
    return facts


ENSEMBLE = Algorithm(
    name="ensemble",
    title="Ensemble",
    kind="alternative",
    settings=EnsembleSettings,
    build=_build,
    model_class="traffic_assets.ml.estimators.ensembles.EnsembleModel",
    importances=_importances,
    importance_kind="members' shares, weighted",
    describe=_describe,
    early_stopping=EarlyStopping(_stops_early, _with_validation_indicator),
    own_threads=OwnThreads(_uses_all_cores),
    members=lambda h: tuple(h.members),
)
