"""Support vector regression (Vapnik 1995; Smola and Schölkopf 2004) by scikit-learn on a bounded sample; an extra."""

from typing import TYPE_CHECKING, Any

from traffic_assets.ml.algorithm import ROW, Algorithm, Requirements
from traffic_assets.settings.models.svr import SVRHyperparameters, SVRSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from traffic_assets.ml.estimators.support_vectors import SupportVectorRegression, SupportVectorRegressionModel


def _build(h: SVRHyperparameters, seed: int, target: str, vector: str) -> "SupportVectorRegression":
    from traffic_assets.ml.estimators.support_vectors import SupportVectorRegression

    return SupportVectorRegression(featuresCol=vector, labelCol=target, rowCol=ROW, seed=seed, **h.model_dump())


def _importances(model: "SupportVectorRegressionModel") -> "NDArray[np.float64]":
    """Return the increase in RMSE on the sample when a slot is shuffled, as measured by the fit."""
    return model.expansion.importances


def _describe(model: "SupportVectorRegressionModel") -> dict[str, Any]:
    fitted = model.expansion
    return {
        "kernel": fitted.kernel,
        "support_vectors": fitted.support_vectors,
        "sample_rows": fitted.sample_rows,
        "train_rows": fitted.train_rows,
        "target_deviation": fitted.target_deviation,
    }


SVR = Algorithm(
    name="svr",
    title="Support vector regression",
    kind="alternative",
    settings=SVRSettings,
    build=_build,
    model_class="traffic_assets.ml.estimators.support_vectors.SupportVectorRegressionModel",
    importances=_importances,
    importance_kind="increase in RMSE when the slot is shuffled",
    describe=_describe,
    requirements=Requirements("sklearn", extra="svr"),
)
