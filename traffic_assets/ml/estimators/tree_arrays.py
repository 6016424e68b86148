"""Fitted trees as arrays: what lies inside an MLlib forest or boosted ensemble, and how numpy follows it.

One big ensemble answers for many smaller ones: the first trees of it, its trees cut at a depth, its trees without
the splits that would leave too few rows. `model_selection/shared_fits.py` decides which; here they are read and scored.
The rows stay on Spark: only sums come back.
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

from traffic_assets.ml.metrics.metrics import MAPE_FLOOR, Metrics, aggregate_metrics, custom_metrics, p95_column

# what runs on the workers is sent whole: they need numpy and pyarrow, and not this package
cloudpickle.register_pickle_by_value(sys.modules[__name__])

LEAF = -1
_SUMS = ("rows", "squared", "absolute", "relative", "counted", "observed", "observed_squared", "signed")


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one tree after the other; a child's number counts from the first node of all.

    Attributes:
        roots: number of each tree's root, shape (trees,).
        weights: what each tree's prediction is multiplied by, shape (trees,).
        feature: slot that a node asks for, `LEAF` in a leaf, shape (nodes,), like all that follow.
        threshold: a row goes left where its value is at most this.
        left: left child, or the node itself in a leaf.
        right: right child, or the node itself in a leaf.
        value: what the tree would predict if it ended here.
        rows: train rows (as drawn for the tree) that came by.
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
    """A smaller ensemble inside a grown one.

    Attributes:
        trees: how many of the first trees.
        depth: levels below the root.
        min_rows: a split counts only where each child has at least this many rows.
    """

    trees: int
    depth: int
    min_rows: int = 1


def read_trees(model: Model, scratch: str) -> Trees:
    """The trees of a fitted MLlib forest or boosted ensemble.

    MLlib shows its nodes only in what it saves, so the model is saved below `scratch`, on storage that every
    executor reaches, and read from there.

    Args:
        model: a fitted `RandomForestRegressionModel` or `GBTRegressionModel`.
        scratch: URI of a folder that does not exist; whoever gives it removes it.

    Raises:
        ValueError: where a split is categorical: the preprocessor's vector has none.
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
    tree, _, weight = metadata.columns  # 3.x and 4.x name them differently
    weights = {row[0]: row[1] for row in metadata.select(tree, weight).collect()}
    return _from_table(nodes, weights)


def _from_table(nodes: pa.Table, weights: dict[int, float]) -> Trees:
    column = {name: nodes[name].to_numpy() for name in nodes.column_names}
    order = np.lexsort((column["id"], column["treeID"]))
    column = {name: values[order] for name, values in column.items()}
    inner = column["left"] >= 0
    if (column["categories"][inner] != -1).any():
        raise ValueError("the trees split by categories; only thresholds are known here")
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


def ends(trees: Trees, min_rows: int) -> NDArray[np.int64]:
    """Where a row that reaches each node stops, once splits that leave a child under `min_rows` do not count.

    Returns:
        By node, itself or its uppermost ancestor whose split does not count, shape (nodes,).
    """
    inner = trees.feature != LEAF
    fewest = np.minimum(trees.rows[trees.left], trees.rows[trees.right])
    void = inner & (fewest < min_rows)
    found = np.arange(len(trees.value))
    level = trees.roots
    while len(level):
        parents = level[inner[level]]
        for children in (trees.left[parents], trees.right[parents]):
            stopped = void[found[parents]]
            found[children] = np.where(stopped, found[parents], children)
        level = np.concatenate([trees.left[parents], trees.right[parents]])
    return found


def predict(trees: Trees, vectors: NDArray[np.float64], cuts: Sequence[Cut], average: bool) -> NDArray[np.float64]:
    """What each of the smaller ensembles predicts; every tree is walked once for all of them.

    Args:
        trees: the grown ensemble.
        vectors: shape (rows, slots).
        cuts: which smaller ensembles.
        average: of the trees (a forest), or their weighted sum (boosting).

    Returns:
        Shape (rows, cuts).

    Raises:
        ValueError: where a cut asks for more trees than there are.
    """
    if (most := max(cut.trees for cut in cuts)) > len(trees.roots):
        raise ValueError(f"{most} trees asked of an ensemble of {len(trees.roots)}")
    depths, mins = sorted({c.depth for c in cuts}), sorted({c.min_rows for c in cuts})
    values = {m: trees.value[ends(trees, m)] for m in mins}
    feature = np.maximum(trees.feature, 0)
    rows = np.arange(len(vectors))
    sums = {(d, m): np.zeros(len(vectors)) for d in depths for m in mins}
    found = np.empty((len(vectors), len(cuts)))
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
                found[:, i] = sums[cut.depth, cut.min_rows] / (cut.trees if average else 1)
    return found


def evaluate_cuts(
    judged: DataFrame,
    vector: str,
    target: str,
    trees: Trees,
    cuts: Sequence[Cut],
    average: bool,
    whole: int | None = None,
) -> list[Metrics]:
    """Return the metrics of each smaller ensemble on some rows, in one pass on Spark.

    What no sum tells is computed by Spark in passes of their own, on what numpy predicts: metrics of installed
    packages, and the P95 of one cut. That of the others is NaN.

    Args:
        judged: preprocessed rows.
        vector: column of the vector.
        target: column of the observed value.
        trees: the grown ensemble, sent to the executors.
        cuts: which smaller ensembles.
        average: as for `predict`.
        whole: position of the cut that may be reported as it is, and so needs its P95.

    Raises:
        ValueError: without rows.
    """
    schema = ", ".join(["cut int", *(f"{name} double" for name in _SUMS)])
    arrays = judged.select(vector_to_array(F.col(vector)).alias("x"), F.col(target).cast("double").alias("y"))
    sums = arrays.mapInArrow(_summing(trees, list(cuts), average), schema)
    rows = sums.groupBy("cut").agg(*(F.sum(name).alias(name) for name in _SUMS)).collect()
    if not rows:
        raise ValueError("no rows to evaluate: the split is empty")
    by_cut = {row["cut"]: row for row in rows}
    extra = _extra(arrays, trees, cuts, average)
    found = [_metrics(by_cut[i], extra[i]) for i in range(len(cuts))]
    if whole is not None:
        found[whole] = found[whole].model_copy(update={"p95": _p95(arrays, trees, cuts[whole], average)})
    return found


def _p95(arrays: DataFrame, trees: Trees, cut: Cut, average: bool) -> float:
    predicted = arrays.mapInArrow(_predicting(trees, [cut], average), "y double, p array<double>")
    error = F.get("p", F.lit(0)) - F.col("y")
    return float(predicted.agg(p95_column(error).alias("p95")).collect()[0]["p95"])


def _extra(arrays: DataFrame, trees: Trees, cuts: Sequence[Cut], average: bool) -> list[dict[str, float]]:
    """By cut, the metrics of installed packages."""
    metrics = custom_metrics()
    if not metrics:
        return [{} for _ in cuts]
    predicted = arrays.mapInArrow(_predicting(trees, list(cuts), average), "y double, p array<double>")
    asked = [
        (metric, F.col("y"), F.get("p", F.lit(i)), f"{name}_{i}")
        for name, metric in metrics.items()
        for i in range(len(cuts))
    ]
    row = aggregate_metrics(predicted, asked).collect()[0]
    return [{name: row[f"{name}_{i}"] for name in metrics} for i in range(len(cuts))]


def _predicting(
    trees: Trees, cuts: list[Cut], average: bool
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def predicted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if not batch.num_rows:
                continue
            y, x = _observed_and_vectors(batch)
            found = predict(trees, x, cuts, average)
            ends = pa.array(np.arange(len(y) + 1, dtype=np.int32) * len(cuts))
            lists = pa.ListArray.from_arrays(ends, pa.array(found.ravel()))
            yield pa.RecordBatch.from_arrays([batch.column("y"), lists], names=["y", "p"])

    return predicted


def _observed_and_vectors(batch: pa.RecordBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = batch.column("y").to_numpy(zero_copy_only=False)
    return y, batch.column("x").flatten().to_numpy(zero_copy_only=False).reshape(len(y), -1)


def _summing(
    trees: Trees, cuts: list[Cut], average: bool
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def summed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
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
        if total[0, 0]:  # one line a task and cut, however many rows
            columns = [pa.array(np.arange(len(cuts), dtype=np.int32)), *(pa.array(sums) for sums in total.T)]
            yield pa.RecordBatch.from_arrays(columns, names=["cut", *_SUMS])

    return summed


def _metrics(sums: Any, extra: dict[str, float]) -> Metrics:
    rows = sums["rows"]
    mse = sums["squared"] / rows
    variance = sums["observed_squared"] / rows - (sums["observed"] / rows) ** 2
    return Metrics(
        rows=int(rows),
        rmse=math.sqrt(mse),
        mae=sums["absolute"] / rows,
        mape=sums["relative"] / sums["counted"] if sums["counted"] else math.nan,
        r2=1 - mse / variance if variance > 0 else math.nan,
        bias=sums["signed"] / rows,
        extra=extra,
    )
