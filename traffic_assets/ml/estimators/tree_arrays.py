"""Fitted trees as arrays: the nodes of an MLlib forest or boosted ensemble, evaluated by numpy.

One large ensemble contains many smaller ones: its first trees, and its trees cut at a depth. Splits that would leave
too few rows can be undone. `model_selection/shared_fits.py` selects the smaller ensembles; this module reads and
evaluates them. The rows stay on Spark: the driver collects only sums.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import cloudpickle
from pyspark.ml import Model
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.messages.algorithms import CATEGORICAL_SPLITS
from traffic_assets.messages.metrics import NO_ROWS
from traffic_assets.ml.metrics.metrics import (
    MAPE_FLOOR,
    Metrics,
    aggregate_metrics,
    compute_r2,
    custom_metrics,
    p95_column,
)

# Spark sends the code to the workers: they need numpy and pyarrow, but not this package
cloudpickle.register_pickle_by_value(sys.modules[__name__])

LEAF = -1
_SUMS = ("rows", "squared", "absolute", "relative", "counted", "observed", "observed_squared", "signed")


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one tree after the other; a node's number is its index among all nodes.

    Attributes:
        roots: Number of each tree's root, shape (trees,).
        weights: Factor of each tree's prediction, shape (trees,).
        feature: Slot that a node compares, or `LEAF`, shape (nodes,), like all following arrays.
        threshold: Maximum value of the slot that goes left.
        left: Left child, or the node itself if it is a leaf.
        right: Right child, or the node itself if it is a leaf.
        value: Prediction of the tree if it ended at the node.
        rows: Number of the tree's train rows (as drawn for it) that reach the node.
    """

    roots: NDArray[np.int64]
    weights: NDArray[np.float64]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """A smaller ensemble inside a fitted one.

    Attributes:
        trees: Number of first trees to use.
        depth: Number of levels below the root.
        min_rows: Minimum number of rows in a child; splits with a smaller child are undone.
    """

    trees: int
    depth: int
    min_rows: int = 1


def read_trees(model: Model, scratch: str) -> Trees:
    """Return the trees of a fitted MLlib forest or boosted ensemble.

    MLlib exposes its nodes only in its stored format. The model is therefore saved below `scratch`, on storage that
    every executor reaches, and read from there.

    Args:
        model: Fitted `RandomForestRegressionModel` or `GBTRegressionModel`.
        scratch: URI of a folder that does not exist; the caller removes it.

    Raises:
        ValueError: If a split is categorical, which the preprocessor's vector never causes.
    """
    writer: Any = model
    writer.write().save(scratch)
    from pyspark.sql import SparkSession

    spark = SparkSession.active()
    split = F.col("nodeData.split")
    nodes = (
        spark.read.parquet(f"{scratch}/data")
        .select(
            "treeID",
            F.col("nodeData.id").alias("id"),
            F.col("nodeData.prediction").alias("value"),
            F.col("nodeData.rawCount").alias("rows"),
            F.col("nodeData.leftChild").alias("left"),
            F.col("nodeData.rightChild").alias("right"),
            split["featureIndex"].alias("feature"),
            split["numCategories"].alias("categories"),
            F.coalesce(F.get(split["leftCategoriesOrThreshold"], F.lit(0)), F.lit(0.0)).alias("threshold"),
        )
        .toArrow()
    )
    metadata = spark.read.parquet(f"{scratch}/treesMetadata")
    tree, _, weight = metadata.columns  # their names differ between Spark 3 and 4
    weights = {row[0]: row[1] for row in metadata.select(tree, weight).collect()}
    return _from_table(nodes, weights)


def _from_table(nodes: pa.Table, weights: dict[int, float]) -> Trees:
    column = {name: nodes[name].to_numpy() for name in nodes.column_names}
    order = np.lexsort((column["id"], column["treeID"]))
    column = {name: values[order] for name, values in column.items()}
    inner = column["left"] >= 0
    if (column["categories"][inner] != -1).any():
        raise ValueError(CATEGORICAL_SPLITS())
    tree, first = np.unique(column["treeID"], return_index=True)
    start = np.repeat(first, np.diff([*first, len(order)]))
    itself = np.arange(len(order))
    return Trees(
        roots=first.astype(np.int64),
        weights=np.array([weights[int(t)] for t in tree], dtype=np.float64),
        feature=np.where(inner, column["feature"], LEAF).astype(np.int32),
        threshold=np.where(inner, column["threshold"], np.inf),
        left=np.where(inner, start + column["left"], itself),
        right=np.where(inner, start + column["right"], itself),
        value=column["value"].astype(np.float64),
        rows=column["rows"].astype(np.int64),
    )


def find_ends(trees: Trees, min_rows: int) -> NDArray[np.int64]:
    """Return the node at which a row that reaches each node stops, if splits with a child below `min_rows` are undone.

    Returns:
        For each node, itself or its uppermost ancestor with an undone split, shape (nodes,).
    """
    inner = trees.feature != LEAF
    fewest = np.minimum(trees.rows[trees.left], trees.rows[trees.right])
    undone = inner & (fewest < min_rows)
    stops = np.arange(len(trees.value))
    level = trees.roots
    while len(level):
        parents = level[inner[level]]
        for children in (trees.left[parents], trees.right[parents]):
            stopped = undone[stops[parents]]
            stops[children] = np.where(stopped, stops[parents], children)
        level = np.concatenate([trees.left[parents], trees.right[parents]])
    return stops


def predict(trees: Trees, vectors: NDArray[np.float64], cuts: Sequence[Cut], average: bool) -> NDArray[np.float64]:
    """Return the predictions of each smaller ensemble; every tree is traversed once for all of them.

    Args:
        trees: The fitted ensemble.
        vectors: Vectors, shape (rows, slots).
        cuts: The smaller ensembles.
        average: True to average the trees (a forest), False for their weighted sum (boosting).

    Returns:
        Predictions, shape (rows, cuts).

    Raises:
        ValueError: If a cut has more trees than the ensemble.
    """
    if (most := max(cut.trees for cut in cuts)) > len(trees.roots):
        from traffic_assets.messages.algorithms import TOO_FEW_TREES  # the workers, which run this too, lack it

        raise ValueError(TOO_FEW_TREES(trees=most, fitted=len(trees.roots)))
    depths, mins = sorted({c.depth for c in cuts}), sorted({c.min_rows for c in cuts})
    values = {m: trees.value[find_ends(trees, m)] for m in mins}
    feature = np.maximum(trees.feature, 0)
    rows = np.arange(len(vectors))
    sums = {(d, m): np.zeros(len(vectors)) for d in depths for m in mins}
    predictions = np.empty((len(vectors), len(cuts)))
    for number in range(most):
        node = np.full(len(vectors), trees.roots[number])
        for depth in range(depths[-1] + 1):
            if depth in depths:
                for m in mins:
                    sums[depth, m] += trees.weights[number] * values[m][node]
            left = vectors[rows, feature[node]] <= trees.threshold[node]
            node = np.where(left, trees.left[node], trees.right[node])
        for i, cut in enumerate(cuts):
            if cut.trees == number + 1:
                predictions[:, i] = sums[cut.depth, cut.min_rows] / (cut.trees if average else 1)
    return predictions


def evaluate_cuts(
    vectors: DataFrame,
    vector: str,
    target: str,
    trees: Trees,
    cuts: Sequence[Cut],
    average: bool,
    whole: int | None = None,
) -> list[Metrics]:
    """Return the metrics of each smaller ensemble, from sums that Spark computes in one pass.

    Metrics of installed packages and the P95 do not follow from sums. Spark computes them in separate passes over the
    predictions, the P95 for one cut only; it is NaN for the others.

    Args:
        vectors: Preprocessed rows.
        vector: Column of the vector.
        target: Column of the observed value.
        trees: The fitted ensemble, sent to the executors.
        cuts: The smaller ensembles.
        average: As for `predict`.
        whole: Position of the cut whose metrics may be reported, and therefore need the P95.

    Raises:
        ValueError: If there are no rows.
    """
    schema = ", ".join(["cut int", *(f"{name} double" for name in _SUMS)])
    arrays = vectors.select(vector_to_array(F.col(vector)).alias("x"), F.col(target).cast("double").alias("y"))
    sums = arrays.mapInArrow(_make_summer(trees, list(cuts), average), schema)
    rows = sums.groupBy("cut").agg(*(F.sum(name).alias(name) for name in _SUMS)).collect()
    if not rows:
        raise ValueError(NO_ROWS())
    by_cut = {row["cut"]: row for row in rows}
    extra = _extra(arrays, trees, cuts, average)
    metrics = [_metrics(by_cut[i], extra[i]) for i in range(len(cuts))]
    if whole is not None:
        metrics[whole] = metrics[whole].model_copy(update={"p95": _p95(arrays, trees, cuts[whole], average)})
    return metrics


def _p95(arrays: DataFrame, trees: Trees, cut: Cut, average: bool) -> float:
    predicted = arrays.mapInArrow(_make_predictor(trees, [cut], average), "y double, p array<double>")
    error = F.get("p", F.lit(0)) - F.col("y")
    return float(predicted.agg(p95_column(error).alias("p95")).collect()[0]["p95"])


def _extra(arrays: DataFrame, trees: Trees, cuts: Sequence[Cut], average: bool) -> list[dict[str, float]]:
    """Return the metrics of installed packages for each cut."""
    metrics = custom_metrics()
    if not metrics:
        return [{} for _ in cuts]
    predicted = arrays.mapInArrow(_make_predictor(trees, list(cuts), average), "y double, p array<double>")
    requested = [
        (metric, F.col("y"), F.get("p", F.lit(i)), f"{name}_{i}")
        for name, metric in metrics.items()
        for i in range(len(cuts))
    ]
    row = aggregate_metrics(predicted, requested).collect()[0]
    return [{name: row[f"{name}_{i}"] for name in metrics} for i in range(len(cuts))]


def _make_predictor(
    trees: Trees, cuts: list[Cut], average: bool
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def predict_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if not batch.num_rows:
                continue
            y, x = _observed_and_vectors(batch)
            predictions = predict(trees, x, cuts, average)
            ends = pa.array(np.arange(len(y) + 1, dtype=np.int32) * len(cuts))
            lists = pa.ListArray.from_arrays(ends, pa.array(predictions.ravel()))
            yield pa.RecordBatch.from_arrays([batch.column("y"), lists], names=["y", "p"])

    return predict_batches


def _observed_and_vectors(batch: pa.RecordBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = batch.column("y").to_numpy(zero_copy_only=False)
    return y, batch.column("x").flatten().to_numpy(zero_copy_only=False).reshape(len(y), -1)


def _make_summer(
    trees: Trees, cuts: list[Cut], average: bool
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def sum_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = np.zeros((len(cuts), len(_SUMS)))
        for batch in batches:
            if not batch.num_rows:
                continue
            y, x = _observed_and_vectors(batch)
            error = predict(trees, x, cuts, average) - y[:, None]
            counted = np.abs(y) >= MAPE_FLOOR
            total[:, 0] += len(y)
            total[:, 1] += (error**2).sum(axis=0)
            total[:, 2] += np.abs(error).sum(axis=0)
            total[:, 3] += np.abs(error[counted] / y[counted, None]).sum(axis=0)
            total[:, 4] += counted.sum()
            total[:, 5] += y.sum()
            total[:, 6] += (y**2).sum()
            total[:, 7] += error.sum(axis=0)
        if total[0, 0]:  # one row per task and cut
            columns = [pa.array(np.arange(len(cuts), dtype=np.int32)), *(pa.array(sums) for sums in total.T)]
            yield pa.RecordBatch.from_arrays(columns, names=["cut", *_SUMS])

    return sum_batches


def _metrics(sums: Any, extra: dict[str, float]) -> Metrics:
    rows = sums["rows"]
    mse = sums["squared"] / rows
    mean_square = sums["observed_squared"] / rows
    variance = mean_square - (sums["observed"] / rows) ** 2
    return Metrics(
        rows=int(rows),
        rmse=math.sqrt(mse),
        mae=sums["absolute"] / rows,
        mape=sums["relative"] / sums["counted"] if sums["counted"] else math.nan,
        r2=compute_r2(mse, variance, mean_square),
        bias=sums["signed"] / rows,
        extra=extra,
    )
