"""Ensembles of the other algorithms: a weighted average, or stacking (Wolpert 1992; Breiman 1996)."""

from typing import TYPE_CHECKING, Any

from traffic_assets.ml.algorithms.spec import ROW, Algorithm
from traffic_assets.settings.hyperparameters import EnsembleHyperparameters, EnsembleSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from traffic_assets.ml.estimators.ensembles import Ensemble, EnsembleModel


def _build(h: EnsembleHyperparameters, seed: int, target: str, vector: str) -> "Ensemble":
    from traffic_assets.ml.estimators.ensembles import Ensemble

    return Ensemble(featuresCol=vector, labelCol=target, rowCol=ROW, seed=seed, **h.model_dump())


def _stops_early(h: EnsembleHyperparameters) -> bool:
    """Whether a member does: it gets the marked rows, the other members none of them."""
    from traffic_assets.ml.algorithms import algorithm_named

    return any(algorithm_named(name).stops_early(member) for name, member in h.validated.items())


def _all_cores(h: EnsembleHyperparameters) -> bool:
    """Whether a fit of a member does."""
    from traffic_assets.ml.algorithms import algorithm_named

    return any(algorithm_named(name).all_cores(member) for name, member in h.validated.items())


def _stop_on(estimator: "Ensemble", column: str) -> "Ensemble":
    return estimator._set(stopCol=column)


def _importances(model: "EnsembleModel") -> "NDArray[np.float64]":
    """The members' importances as shares of 1, averaged by the members' weights."""
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
    stops_early=_stops_early,
    stop_on=_stop_on,
    all_cores=_all_cores,
    members=lambda h: tuple(h.members),
)
