"""Exhaustive search of the default forest grid: fits every point on every fold and evaluates the winner on test.

    python -m benchmarks.search_exhaustive [sample] [san_diego]

It fits 27 points x 5 folds on about 20,000 rows of each dataset, without shared fits. `search_exhaustive.json` stores
each fit as soon as it is done, so that an interrupted run continues. `search.py` compares the fast search with these
results.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.feature_rows import DATASETS, feature_rows
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.fitting.caching import cached_rows, cached_vectors
from traffic_assets.ml.fitting.pipeline import fit_model, fit_pipeline, fit_preprocessor
from traffic_assets.ml.metrics.metrics import evaluate
from traffic_assets.ml.preprocessing.feature_set import usable_features
from traffic_assets.ml.splits.assign import with_split
from traffic_assets.ml.splits.folds import make_folds
from traffic_assets.ml.splits.shares import SPLIT, TEST, TRAIN
from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters, RandomForestSettings
from traffic_assets.settings.training import SplitSettings

STORE = Path(__file__).with_name("search_exhaustive.json")
SENSORS, FOLDS, SEED = 5, 5, 42
FOREST = algorithm_named("random_forest")
DEFAULT_GRID = RandomForestSettings().grid
POINTS = grid_points(RandomForestHyperparameters(), DEFAULT_GRID)


def split_rows(rows: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Split rows by the project's hash into 80% train, with the validation rows, and 20% test."""
    placed = with_split(rows, SplitSettings(train=0.7, validation=0.1, test=0.2), SEED)
    return placed.where(F.col(SPLIT) != TEST).withColumn(SPLIT, F.lit(TRAIN)), placed.where(F.col(SPLIT) == TEST)


def format_point(point: RandomForestHyperparameters) -> str:
    """Return a short name for a point of the grid."""
    return f"{point.numTrees}x{point.maxDepth} min {point.minInstancesPerNode}"


def main() -> None:
    """Run the requested datasets, by default both."""
    datasets = sys.argv[1:] or list(DATASETS)
    store: dict[str, Any] = json.loads(STORE.read_text()) if STORE.is_file() else {}
    for dataset in datasets:
        result = store.setdefault(dataset, {"folds": {}, "winner": None})
        with feature_rows(dataset, SENSORS) as rows:
            train, test = split_rows(rows)
            with cached_rows(train) as fitted:
                result["train_rows"] = fitted.count()
                features = usable_features(fitted, FEATURES)
                for number, fold in enumerate(make_folds(fitted, "random", FOLDS, SEED)):
                    left = [p for p in POINTS if f"{format_point(p)} fold {number}" not in result["folds"]]
                    if not left:
                        continue
                    preprocessing = fit_preprocessor(fitted.where(fold.train), features)
                    test_vectors = preprocessing.transform(fitted.where(fold.test))
                    with cached_vectors(preprocessing, fitted.where(fold.train)) as vectors:
                        for point in left:
                            rmse = evaluate(fit_model(vectors, FOREST, point, SEED).transform(test_vectors)).rmse
                            result["folds"][f"{format_point(point)} fold {number}"] = rmse
                            STORE.write_text(json.dumps(store, indent=1) + "\n")
                            print(f"{dataset}: {format_point(point)}, fold {number + 1}: RMSE {rmse:.4f}", flush=True)
                means = {
                    format_point(p): sum(result["folds"][f"{format_point(p)} fold {i}"] for i in range(FOLDS)) / FOLDS
                    for p in POINTS
                }
                winner = min(POINTS, key=lambda p: means[format_point(p)])
                pipeline = fit_pipeline(fitted, features, FOREST, winner, SEED)
                result["winner"] = {
                    "point": winner.model_dump(),
                    "cv_rmse": means[format_point(winner)],
                    "test_rmse": evaluate(pipeline.transform(test)).rmse,
                }
                STORE.write_text(json.dumps(store, indent=1) + "\n")
                print(f"{dataset}: {format_point(winner)} wins, {result['winner']}", flush=True)


if __name__ == "__main__":
    main()
