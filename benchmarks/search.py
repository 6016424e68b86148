"""The default forest grid (27 forests x 5 folds) on 100,000 rows: this project's search against Spark's CrossValidator.

CrossValidator would take hours, so its time is extrapolated:

1. On one fold, a forest of each tree count and depth (nine in all) is fitted and scored. `minInstancesPerNode` hardly
   changes the time, so three points of the grid get the same time.
2. One point runs through the real CrossValidator on all folds. The time per fit that it takes in addition (fitting and
   applying the preprocessor) is added to every fit of the grid.
3. The sum over the grid is multiplied by five folds, and the slowest fit is added as the final fit.

CrossValidator fits Spark's `RandomForestRegressor` with its defaults. This project also sets `cacheNodeIds`, which is
one of its optimizations. Its search is timed as a whole, with the fits that confirm its winner and the final fit.
`search_exhaustive.json` shows whether it chooses equally well.
"""

import json
import sys
import tempfile
import time

from pyspark.ml import Pipeline
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.regression import RandomForestRegressor
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import DataFrame

from benchmarks.feature_rows import DATASETS, feature_rows
from benchmarks.search_exhaustive import (
    DEFAULT_GRID,
    FOLDS,
    FOREST,
    POINTS,
    SEED,
    SENSORS,
    STORE,
    format_point,
    split_rows,
)
from traffic_assets.catalogue.features import FEATURES
from traffic_assets.ml.fitting.caching import cache_frame, cached_rows, cached_vectors
from traffic_assets.ml.fitting.pipeline import fit_pipeline, fit_preprocessor
from traffic_assets.ml.metrics.metrics import TARGET, evaluate
from traffic_assets.ml.model_selection.trials import Search
from traffic_assets.ml.preprocessing.feature_set import FeatureSet, usable_features
from traffic_assets.ml.preprocessing.pipeline import VECTOR, preprocessor
from traffic_assets.ml.search.runner import run_search
from traffic_assets.ml.search.strategies import make_strategy
from traffic_assets.ml.splits.folds import make_folds
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.training import SearchSettings
from traffic_assets_tests import real_data

LARGE = 25  # sensors, about 100,000 rows
GOAL, WORST_CHOICE = 10.0, 1.01
PROBE = RandomForestHyperparameters(numTrees=50, maxDepth=8)


def search(rows: DataFrame, features: FeatureSet) -> Search:
    """Search the whole grid with the default settings."""
    strategy = make_strategy(SearchSettings(), RandomForestHyperparameters(), DEFAULT_GRID, True, "rmse", SEED)
    with tempfile.TemporaryDirectory(prefix="search-") as scratch:
        return run_search(
            rows,
            features,
            FOREST,
            strategy,
            folds=make_folds(rows, "random", FOLDS, SEED),
            seed=SEED,
            scratch=f"file://{scratch}/models",
            notify=lambda line: print(f"  {line}", flush=True),
        )


def exhaustive_seconds(rows: DataFrame, features: FeatureSet) -> float:
    """Return the extrapolated time of CrossValidator in seconds."""
    fold = make_folds(rows, "random", FOLDS, SEED)[0]
    fit_rows = rows.where(fold.train)
    preprocessing = fit_preprocessor(fit_rows, features)
    seconds: dict[tuple[int, int], float] = {}
    forest = RandomForestRegressor(featuresCol=VECTOR, labelCol=TARGET, seed=SEED)
    evaluator = RegressionEvaluator(labelCol=TARGET)
    with cached_vectors(preprocessing, fit_rows) as vectors, cache_frame(rows.where(fold.test)) as test_rows:
        test_vectors = preprocessing.transform(test_rows)
        vectors.count(), test_rows.count()
        for point in (p for p in POINTS if p.minInstancesPerNode == 1):
            plain = forest.copy({forest.numTrees: point.numTrees, forest.maxDepth: point.maxDepth})
            started = time.monotonic()
            evaluator.evaluate(plain.fit(vectors).transform(test_vectors))
            seconds[point.numTrees, point.maxDepth] = time.monotonic() - started
            print(
                f"  one fit of {format_point(point)}, scored: {seconds[point.numTrees, point.maxDepth]:.1f} s",
                flush=True,
            )
    grid = ParamGridBuilder().baseOn({forest.numTrees: PROBE.numTrees, forest.maxDepth: PROBE.maxDepth}).build()
    pipeline = Pipeline(stages=[*preprocessor(features).getStages(), forest])
    started = time.monotonic()
    CrossValidator(
        estimator=pipeline, estimatorParamMaps=grid, numFolds=FOLDS, seed=SEED,
        evaluator=evaluator,
    ).fit(rows)  # fmt: skip
    real = time.monotonic() - started
    extra = real / (FOLDS + 1) - seconds[PROBE.numTrees, PROBE.maxDepth]
    print(f"  CrossValidator on {format_point(PROBE)}: {real:.1f} s, {extra:.2f} s per fit more than the timed fit")
    whole = [seconds[point.numTrees, point.maxDepth] + extra for point in POINTS]
    return FOLDS * sum(whole) + max(whole)


def choice(dataset: str) -> float:
    """Return the ratio of the test RMSE of the search's winner to that of the exhaustive winner."""
    known = json.loads(STORE.read_text())[dataset]["winner"]
    with feature_rows(dataset, SENSORS) as rows:
        train, test = split_rows(rows)
        with cached_rows(train) as fitted:
            features = usable_features(fitted, FEATURES)
            best = RandomForestHyperparameters.model_validate(search(fitted, features).best.hyperparameters)
            rmse = evaluate(fit_pipeline(fitted, features, FOREST, best, SEED).transform(test)).rmse
    winner = RandomForestHyperparameters.model_validate(known["point"])
    print(
        f"  {dataset}: the search chooses {format_point(best)}, test RMSE {rmse:.4f}; "
        f"exhaustive winner {format_point(winner)}, test RMSE {known['test_rmse']:.4f}"
    )
    return float(rmse / known["test_rmse"])


def main() -> int:
    """Measure, print the ratio, and return the exit code."""
    if real_data.folder() is None:  # checked before the long measurements
        sys.exit("Set TRAFFIC_REAL_DATA to the folder of the real data.")
    with feature_rows("sample", LARGE) as rows:
        train, _ = split_rows(rows)
        with cached_rows(train) as fitted:
            print(f"{rows.count():,} rows, {fitted.count():,} of them train")
            features = usable_features(fitted, FEATURES)
            started = time.monotonic()
            result = search(fitted, features)
            fit_pipeline(
                fitted, features, FOREST, RandomForestHyperparameters.model_validate(result.best.hyperparameters), SEED
            )
            ours = time.monotonic() - started
            print(f"  search and final fit: {ours:.1f} s, {result.fits} fits on folds")
            theirs = exhaustive_seconds(fitted, features)
    worst = max(choice(dataset) for dataset in DATASETS)
    print(f"CrossValidator would take {theirs:.0f} s; test RMSE at most {worst:.4f} of the exhaustive winner's")
    ratio = theirs / ours
    print(f"search: ratio {ratio:.1f} (goal {GOAL:g})")
    return 0 if ratio >= GOAL and worst <= WORST_CHOICE else 1


if __name__ == "__main__":
    sys.exit(main())
