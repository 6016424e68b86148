"""The slots of a preprocessor's vector: their names, and statistics of their values on train rows.

`pipeline.py` has the preprocessor.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.feature import StringIndexerModel, VectorSlicer
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from traffic_assets.ml.preprocessing.feature_set import FeatureSet
from traffic_assets.ml.preprocessing.pipeline import VECTOR

OTHER = "other"
CONSTANT_BELOW = 1e-12


@dataclass(frozen=True)
class Slot:
    """One element of the vector, with the feature that it belongs to."""

    name: str
    feature: str


@dataclass(frozen=True)
class VectorReport:
    """Statistics of the train rows' vector after the preprocessor.

    Attributes:
        rows: Number of rows.
        nulls: Number of rows with NaN or infinity, by slot; slots without any are left out.
        constant: Slots with one value in train; the scaler sets them to 0.
        worst_mean: Largest distance of a mean from 0 over the other slots.
        worst_deviation: Largest distance of a standard deviation from 1 over the other slots.
    """

    rows: int
    nulls: dict[str, int]
    constant: list[str]
    worst_mean: float
    worst_deviation: float


def slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    """Return the slots of the vector: numeric features, created ones, then each category of the categorical ones.

    A selection removes slots and keeps the order.
    """
    every, kept = _all_slots(model, features), _kept_slots(model)
    return every if kept is None else [every[i] for i in kept]


def dropped_slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    """Return the slots that the selection removed, in order."""
    every, kept = _all_slots(model, features), _kept_slots(model)
    return [] if kept is None else [slot for i, slot in enumerate(every) if i not in set(kept)]


def _all_slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    named = [Slot(name, name) for name in features.numbers]
    indexer = next((s for s in model.stages if isinstance(s, StringIndexerModel)), None)
    if indexer is not None:
        for name, labels in zip(features.categorical, indexer.labelsArray, strict=True):
            named += [Slot(f"{name}={label}", name) for label in (*labels, OTHER)]
    return named


def _kept_slots(model: PipelineModel) -> list[int] | None:
    slicer = next((s for s in model.stages if isinstance(s, VectorSlicer)), None)
    return None if slicer is None else slicer.getIndices()


def vector_report(vectors: DataFrame, named: Sequence[Slot]) -> VectorReport:
    """Compute statistics of the preprocessed train rows: nulls, constant slots, means and standard deviations.

    Args:
        vectors: Rows with the column `features`.
        named: Slots of the vector.
    """
    summary = Summarizer.metrics("mean", "std", "count").summary(F.col(VECTOR)).alias("s")
    statistics = vectors.select(summary).collect()[0]["s"]
    mean, deviation = statistics["mean"].toArray(), statistics["std"].toArray()
    names = [slot.name for slot in named]
    nulls: dict[str, int] = {}
    if not np.isfinite(mean).all():
        from pyspark.ml.functions import vector_to_array

        values = vector_to_array(F.col(VECTOR))
        bad = [i for i in range(len(names)) if not math.isfinite(mean[i])]
        counts = vectors.agg(
            *(F.count_if(F.isnan(values[i]) | (F.abs(values[i]) == math.inf)).alias(str(i)) for i in bad)
        ).collect()[0]
        nulls = {names[i]: counts[str(i)] for i in bad}
    finite = np.isfinite(mean) & np.isfinite(deviation)
    varies = finite & (deviation > CONSTANT_BELOW)
    return VectorReport(
        rows=int(statistics["count"]),
        nulls=nulls,
        constant=[name for name, still in zip(names, finite & ~varies, strict=True) if still],
        worst_mean=float(np.abs(mean[varies]).max(initial=0)),
        worst_deviation=float(np.abs(deviation[varies] - 1).max(initial=0)),
    )
