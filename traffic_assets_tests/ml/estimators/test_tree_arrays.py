"""Trees as arrays: numpy predicts like Spark, with whole and with cut trees."""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark import cloudpickle
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import DecisionTreeRegressionModel, GBTRegressor, RandomForestRegressor
from pyspark.sql import functions as F

from traffic_assets.ml.estimators.tree_arrays import LEAF, Cut, Trees, evaluate_cuts, find_ends, predict, read_trees
from traffic_assets.ml.fitting.pipeline import fit_preprocessor
from traffic_assets.ml.metrics.metrics import evaluate
from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.pipeline import VECTOR
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.processes import Processes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TREES, DEPTH = 7, 5


@pytest.fixture(scope="module")
def vectors(feature_rows: DataFrame, features: FeatureSet) -> DataFrame:
    return fit_preprocessor(feature_rows, features).transform(feature_rows).select(VECTOR, "speed").cache()


@pytest.fixture(scope="module")
def forest(vectors: DataFrame) -> Any:
    return RandomForestRegressor(
        featuresCol=VECTOR, labelCol="speed", numTrees=TREES, maxDepth=DEPTH, maxBins=64, seed=1
    ).fit(vectors)


@pytest.fixture(scope="module")
def boosted(vectors: DataFrame) -> Any:
    return GBTRegressor(featuresCol=VECTOR, labelCol="speed", maxIter=TREES, maxDepth=3, seed=1).fit(vectors)


@pytest.fixture
def scratch(tmp_path: Path) -> str:
    return f"file://{tmp_path}/{secrets.token_hex(4)}"


def _arrays(vectors: DataFrame) -> tuple[np.ndarray, np.ndarray]:
    rows = vectors.select(vector_to_array(F.col(VECTOR)).alias("x"), "speed").collect()
    return np.array([row["x"] for row in rows]), np.array([row["speed"] for row in rows])


@pytest.mark.parametrize(("name", "average"), [("forest", True), ("boosted", False)])
def test_numpy_predicts_like_spark(
    name: str, average: bool, vectors: DataFrame, scratch: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    x, _ = _arrays(vectors)
    predictions = predict(read_trees(model, scratch), x, [Cut(TREES, 30)], average)[:, 0]
    expected = [row["prediction"] for row in model.transform(vectors).collect()]
    np.testing.assert_allclose(predictions, expected, rtol=1e-12)


def test_the_first_boosted_trees_equal_the_smaller_model(vectors: DataFrame, boosted: Any, scratch: str) -> None:
    smaller = GBTRegressor(featuresCol=VECTOR, labelCol="speed", maxIter=3, maxDepth=3, seed=1).fit(vectors)
    x, _ = _arrays(vectors)
    predictions = predict(read_trees(boosted, scratch), x, [Cut(3, 30)], average=False)[:, 0]
    np.testing.assert_allclose(
        predictions, [row["prediction"] for row in smaller.transform(vectors).collect()], rtol=1e-12
    )


def _by_hand(tree: DecisionTreeRegressionModel, row: Any, depth: int, min_rows: int) -> float:
    """Return the prediction of one of Spark's trees, cut at a depth."""
    java: Any = tree._java_obj
    node = java.rootNode()
    for _ in range(depth):
        if node.numDescendants() == 0:
            break
        children = (node.leftChild(), node.rightChild())
        if min(child.impurityStats().rawCount() for child in children) < min_rows:
            break
        split = node.split()
        node = children[0] if row[split.featureIndex()] <= split.threshold() else children[1]
    return float(node.prediction())


@pytest.mark.parametrize("cut", [Cut(3, 2), Cut(TREES, 4, 30), Cut(1, DEPTH, 100), Cut(5, 1)])
def test_a_cut_forest_averages_its_first_trees_cut_by_hand(
    cut: Cut, vectors: DataFrame, forest: Any, scratch: str
) -> None:
    x, _ = _arrays(vectors)
    predictions = predict(read_trees(forest, scratch), x[:25], [cut, Cut(TREES, DEPTH)], average=True)[:, 0]
    expected = [
        np.mean([_by_hand(tree, row, cut.depth, cut.min_rows) for tree in forest.trees[: cut.trees]]) for row in x[:25]
    ]
    np.testing.assert_allclose(predictions, expected, rtol=1e-12)


def test_an_undone_split_undoes_the_splits_below() -> None:
    """Undo a root's split with min_rows 5, because one child has 4 rows, and with it the larger split below."""
    nodes = np.arange(5)
    trees = Trees(
        roots=np.array([0]),
        weights=np.array([1.0]),
        feature=np.array([0, 1, LEAF, LEAF, LEAF], dtype=np.int32),
        threshold=np.array([0.5, 0.5, np.inf, np.inf, np.inf]),
        left=np.array([1, 2, 2, 3, 4]),
        right=np.array([4, 3, 2, 3, 4]),
        value=np.array([10.0, 20.0, 30.0, 40.0, 50.0]),
        rows=np.array([104, 100, 50, 50, 4]),
    )
    assert find_ends(trees, 1).tolist() == nodes.tolist()
    assert find_ends(trees, 5).tolist() == [0, 0, 0, 0, 0]
    assert find_ends(replace(trees, rows=np.array([104, 50, 3, 47, 54])), 5).tolist() == [0, 1, 1, 1, 4]
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert predict(trees, x, [Cut(1, 9), Cut(1, 1), Cut(1, 0), Cut(1, 9, 5)], True).tolist() == [
        [30.0, 20.0, 10.0, 10.0],
        [40.0, 20.0, 10.0, 10.0],
        [50.0, 50.0, 10.0, 10.0],
    ]


def test_workers_do_not_need_this_package(forest: Any, scratch: str, processes: Processes, tmp_path: Path) -> None:
    trees = read_trees(forest, scratch)
    vectors = np.zeros((3, 1 + trees.feature.max()))
    cut = Cut(trees=2, depth=3, min_rows=1)
    sent = tmp_path / "sent"
    sent.write_bytes(cloudpickle.dumps(lambda: predict(trees, vectors, [cut], True).tolist()))
    code = (
        "import json, sys; sys.modules['traffic_assets'] = None\n"
        f"from pyspark import cloudpickle; print(json.dumps(cloudpickle.load(open({str(sent)!r}, 'rb'))()))"
    )
    done = processes.python("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == predict(trees, vectors, [cut], True).tolist()


def test_more_trees_than_the_ensemble_has_are_refused(forest: Any, scratch: str) -> None:
    with pytest.raises(ValueError) as caught:
        predict(read_trees(forest, scratch), np.zeros((1, 40)), [Cut(8, 1)], average=True)
    assert get_code(caught.value) == "algorithms.too-few-trees"
    assert get_values(caught.value) == {"trees": 8, "fitted": 7}


def test_installed_metrics_of_cuts_equal_those_of_the_predictions(
    vectors: DataFrame, forest: Any, scratch: str, far: str
) -> None:
    trees = read_trees(forest, scratch)
    cuts = [Cut(TREES, DEPTH), Cut(4, 3), Cut(1, 1)]
    evaluated = evaluate_cuts(vectors.repartition(3), VECTOR, "speed", trees, cuts, average=True)
    assert evaluated[0].extra == {far: pytest.approx(evaluate(forest.transform(vectors)).extra[far])}
    x, y = _arrays(vectors)
    expected = np.abs(predict(trees, x, cuts, average=True) - y[:, None]).mean(axis=0)
    assert [metrics.extra[far] for metrics in evaluated] == pytest.approx(expected.tolist())
    assert len({round(metrics.extra[far], 6) for metrics in evaluated}) == 3


def test_metrics_of_cuts_equal_those_of_the_predictions(vectors: DataFrame, forest: Any, scratch: str) -> None:
    """Compare the whole forest with Spark's metrics, and a cut with numpy's."""
    trees = read_trees(forest, scratch)
    cut = Cut(4, 3)
    both = [Cut(TREES, DEPTH), cut]
    whole, part = evaluate_cuts(vectors.repartition(3), VECTOR, "speed", trees, both, average=True, whole=0)
    expected = evaluate(forest.transform(vectors))
    assert whole.by_name == pytest.approx(expected.by_name, rel=1e-9)
    assert whole.rows == expected.rows
    assert whole.bias == pytest.approx(expected.bias, rel=1e-9)
    assert whole.p95 == pytest.approx(expected.p95, rel=1e-9)
    assert math.isnan(part.p95), "the P95 is computed for the whole forest only"
    x, y = _arrays(vectors)
    error = predict(trees, x, [cut], average=True)[:, 0] - y
    assert part.rmse == pytest.approx(np.sqrt(np.mean(error**2)))
    assert part.bias == pytest.approx(np.mean(error))
    assert part.mae == pytest.approx(np.mean(np.abs(error)))
    assert part.r2 == pytest.approx(1 - np.mean(error**2) / np.var(y))
    with pytest.raises(ValueError) as caught:
        evaluate_cuts(vectors.limit(0), VECTOR, "speed", trees, [cut], average=True)
    assert get_code(caught.value) == "metrics.no-rows"
