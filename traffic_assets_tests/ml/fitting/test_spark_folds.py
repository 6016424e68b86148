"""Folds that Spark prepares: which fits are shared, and how the smaller ensembles inside a fit are evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.estimators.tree_arrays import Cut
from traffic_assets.ml.fitting.fold_fitter_factory import open_fold_fitter
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.splits.folds import make_folds
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SEED = 42
BOOSTED = algorithm_named("gradient_boosted_trees")
PLAIN = GradientBoostedTreesHyperparameters(maxIter=4, maxDepth=2, maxBins=16)


@pytest.mark.parametrize(
    ("early", "scratch", "shared"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_fits_are_shared_with_a_folder_to_read_them_from_if_none_stops_early(
    feature_rows: DataFrame, features: FeatureSet, tmp_path: Path, early: bool, scratch: bool, shared: bool
) -> None:
    tried = [PLAIN, PLAIN.model_copy(update={"earlyStopping": early})]
    folds = make_folds(feature_rows, "random", 2, SEED)
    folder = f"file://{tmp_path}" if scratch else None
    with open_fold_fitter(feature_rows, features, BOOSTED, folds, tried, SEED, scratch=folder) as fitter:
        assert fitter.sharing == (BOOSTED.shared_fit if shared else None)


def test_cuts_are_evaluated_like_separate_fits(feature_rows: DataFrame, features: FeatureSet, tmp_path: Path) -> None:
    """Check that the first boosted trees equal the smaller ensemble, and that the exact one has a P95."""
    folds = make_folds(feature_rows, "random", 2, SEED)
    small = PLAIN.model_copy(update={"maxIter": 2})
    with (
        open_fold_fitter(feature_rows, features, BOOSTED, folds, [PLAIN], SEED, scratch=f"file://{tmp_path}") as fitter,
        fitter.prepare(0, fitter.fold_sizes()[0], fits=3) as fold,
    ):
        cuts = [Cut(trees=2, depth=30), Cut(trees=4, depth=30)]
        read = fold.evaluate(PLAIN, cuts, exact=1)
        fitted = [fold.evaluate(hyperparameters)[0] for hyperparameters in (small, PLAIN)]
    for one, other in zip(read, fitted, strict=True):
        assert one.by_name == pytest.approx(other.by_name, rel=1e-9)
    assert read[1].p95 == pytest.approx(fitted[1].p95)
    assert read[0].p95 != read[0].p95, "not a number"
