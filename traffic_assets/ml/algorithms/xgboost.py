"""XGBoost on Spark (Chen and Guestrin 2016): histogram-based boosted trees, fitted by Spark's workers; an extra."""

import logging
from typing import TYPE_CHECKING, Any

from traffic_assets.ml.algorithm import Algorithm, EarlyStopping, Fill, OwnThreads, Requirements, Task
from traffic_assets.settings.models.xgboost import XGBoostHyperparameters, XGBoostSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# XGBoost logs every fit and every prediction, on driver and workers, unless a level is set
_LOGGER = logging.getLogger("XGBoost-PySpark")
if _LOGGER.level == logging.NOTSET:
    _LOGGER.setLevel(logging.WARNING)


def _in_one_task(h: XGBoostHyperparameters) -> bool:
    return h.num_workers == 1


def _params(h: XGBoostHyperparameters, seed: int) -> dict[str, Any]:
    """Return the parameters of XGBoost's own regressor."""
    fixed = {"tree_method": "hist", "random_state": seed, "verbosity": 0}  # otherwise it prints a line per round
    return h.model_dump(exclude_none=True, exclude={"num_workers"}) | fixed


def _build(h: XGBoostHyperparameters, seed: int, target: str, vector: str) -> Any:
    from xgboost.spark import SparkXGBRegressor

    from traffic_assets.ml.estimators.xgboost_task import OneTaskXGBRegressor

    estimator = OneTaskXGBRegressor if _in_one_task(h) else SparkXGBRegressor
    params = _params(h, seed) | {"num_workers": h.num_workers, "verbose": False}
    return estimator(features_col=vector, label_col=target, **params)


def _fold_task(h: XGBoostHyperparameters, seed: int, threads: int, fill: Fill) -> Task:
    from traffic_assets.ml.estimators.xgboost_task import fold_task

    return fold_task(_params(h, seed), threads, fill)


def _with_validation_indicator(estimator: Any, column: str) -> Any:
    estimator.setParams(validation_indicator_col=column)
    return estimator


def _importances(model: Any) -> "NDArray[np.float64]":
    """Return each slot's share of the total gain of all splits."""
    import numpy as np

    booster = model.get_booster()
    gains = np.zeros(booster.num_features())
    for name, gain in booster.get_score(importance_type="total_gain").items():
        gains[int(name.removeprefix("f"))] = gain
    return gains / gains.sum() if gains.sum() else gains


def _describe(model: Any) -> dict[str, Any]:
    return {"trees": int(model.get_booster().num_boosted_rounds())}


XGBOOST = Algorithm(
    name="xgboost",
    title="XGBoost",
    kind="alternative",
    settings=XGBoostSettings,
    build=_build,
    model_class="xgboost.spark.estimator.SparkXGBRegressorModel",
    importances=_importances,
    importance_kind="total gain, share",
    describe=_describe,
    exports=("spark", "onnx"),
    scale_invariant=True,
    single_pass=True,
    early_stopping=EarlyStopping(lambda h: h.early_stopping_rounds is not None, _with_validation_indicator),
    own_threads=OwnThreads(_in_one_task, _fold_task),
    requirements=Requirements("xgboost", extra="xgboost"),
)
