"""Selection of slots: the slots that each method keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.ml.feature import VectorAssembler, VectorSlicer

from traffic_assets.ml.preprocessing.feature_set import FeatureSet, Preparation
from traffic_assets.ml.preprocessing.pipeline import preprocessor
from traffic_assets.ml.preprocessing.selection import Method, SlotSelector
from traffic_assets_tests.codes import get_code, get_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NAMES = ["noise", "weak", "constant", "bent", "strong", "wide"]
ROWS = 3000


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> Iterator[DataFrame]:
    """Return rows whose target depends on `bent` as much as on `strong`, but correlates only with `strong`."""
    draw = np.random.default_rng(5)
    x, z = draw.uniform(-1, 1, ROWS), draw.uniform(-1, 1, ROWS)
    speed = 10 * x + 20 * z**2
    columns = [
        draw.normal(size=ROWS),
        x + draw.normal(0, 1.5, ROWS),
        np.full(ROWS, 7.0),
        z,
        x + draw.normal(0, 0.01, ROWS),
        draw.normal(0, 1000, ROWS),
    ]
    table = np.column_stack([speed, *columns]).tolist()
    frame = spark.createDataFrame(table, ", ".join(f"{name} double" for name in ["speed", *NAMES])).repartition(2)
    frame = VectorAssembler(inputCols=NAMES, outputCol="assembled").transform(frame).cache()
    yield frame
    frame.unpersist()


def _kept(rows: DataFrame, method: Method, top: int = 2, threshold: float = 0.0) -> list[str]:
    slicer = SlotSelector(method, threshold, top, "assembled", "speed", "selected", seed=42).fit(rows)
    assert isinstance(slicer, VectorSlicer)
    first = slicer.transform(rows).head()
    assert first is not None
    assert first["selected"].toArray().tolist() == [first["assembled"][i] for i in slicer.getIndices()]
    return [NAMES[i] for i in slicer.getIndices()]


def test_variance_keeps_slots_above_the_threshold(rows: DataFrame) -> None:
    assert _kept(rows, "variance") == ["noise", "weak", "bent", "strong", "wide"]
    assert _kept(rows, "variance", threshold=100.0) == ["wide"]
    with pytest.raises(ValueError) as caught:
        _kept(rows, "variance", threshold=1e9)
    assert get_code(caught.value) == "preprocessing.no-slots-left"
    assert get_values(caught.value) == {"threshold": 1e9}


def test_univariate_ranks_slots_with_equal_p_values(rows: DataFrame) -> None:
    """Use 3000 rows, with which both `weak` and `strong` have the p-value 0."""
    assert _kept(rows, "univariate", top=1) == ["strong"]
    assert _kept(rows, "univariate", top=2) == ["weak", "strong"]


def test_importance_keeps_the_slots_that_a_forest_uses(rows: DataFrame) -> None:
    assert _kept(rows, "importance", top=2) == ["bent", "strong"]
    assert _kept(rows, "importance", top=2) == ["bent", "strong"], "the seed fixes its draw"


def test_the_forest_has_the_seed_of_the_settings(rows: DataFrame) -> None:
    weights = []
    for seed in (7, 7, 8):
        prepared = FeatureSet((NAMES[0],), (), (), {}, ROWS, Preparation(selection="importance", seed=seed))
        (selector,) = (s for s in preprocessor(prepared).getStages() if isinstance(s, SlotSelector))
        selector.vector = "assembled"
        weights.append(selector._importances(rows).tolist())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize("method", ["univariate", "importance"])
def test_all_slots_are_kept_if_top_k_exceeds_their_number(rows: DataFrame, method: Method) -> None:
    assert _kept(rows, method, top=99) == NAMES


def test_a_single_row_has_no_correlation(rows: DataFrame) -> None:
    assert _kept(rows.limit(1).coalesce(1), "univariate") == ["noise", "weak"], "the first slots"
