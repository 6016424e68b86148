"""The vector that a preprocessor makes: the name of every slot, and what its values look like on train rows.

How it is made is in `preprocessing.py`.
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
    """One element of the vector: its name, and the feature that it belongs to."""

    name: str
    feature: str


@dataclass(frozen=True)
class VectorReport:
    """What the vector of the train rows looks like after the preprocessor.

    Attributes:
        rows: number of rows.
        nulls: by slot, rows whose element is NaN or infinite (only slots with any).
        constant: slots with one value in train; the scaler leaves them at 0.
        worst_mean: largest distance of a mean from 0 over the other slots.
        worst_deviation: largest distance of a standard deviation from 1 over the other slots.
    """

    rows: int
    nulls: dict[str, int]
    constant: list[str]
    worst_mean: float
    worst_deviation: float


def slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    """The slots of the vector, in order: numeric features, created ones, each category of each categorical one.

    Where slots were selected, those that are left.
    """
    every, kept = _all_slots(model, features), _kept_slots(model)
    return every if kept is None else [every[i] for i in kept]


def dropped_slots(model: PipelineModel, features: FeatureSet) -> list[Slot]:
    """The slots that the selection left out, in order."""
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
    """Look at the preprocessed train rows: nulls, constant slots, means and deviations. One pass.

    Args:
        vectors: rows with the column `features`.
        named: the slots of the vector.
    """
    summary = Summarizer.metrics("mean", "std", "count").summary(F.col(VECTOR)).alias("s")
    found = vectors.select(summary).collect()[0]["s"]
    mean, deviation = found["mean"].toArray(), found["std"].toArray()
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
        rows=int(found["count"]),
        nulls=nulls,
        constant=[name for name, still in zip(names, finite & ~varies, strict=True) if still],
        worst_mean=float(np.abs(mean[varies]).max(initial=0)),
        worst_deviation=float(np.abs(deviation[varies] - 1).max(initial=0)),
    )
