"""Importances: the slots of a feature are summed, and the largest comes first."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.evaluation.importances import Importances, compute_importances
from traffic_assets.ml.preprocessing.slots import Slot
from traffic_assets_tests.codes import get_code, get_values

SLOTS = [Slot("a", "a"), Slot("b", "b"), Slot("c=1", "c"), Slot("c=2", "c"), Slot("c=other", "c"), Slot("d", "d")]
MODEL = SimpleNamespace(weights=[0.1, 0.3, 0.2, 0.25, 0.0, 0.1])
ALGORITHM = replace(
    algorithm_named("random_forest"), importances=lambda model: np.array(model.weights), importance_kind="a kind"
)


def test_slots_of_a_feature_are_summed_and_sorted() -> None:
    importances = compute_importances(MODEL, ALGORITHM, SLOTS)
    assert importances.kind == "a kind"
    assert importances.features == pytest.approx({"c": 0.45, "b": 0.3, "a": 0.1, "d": 0.1})
    assert list(importances.features) == ["c", "b", "a", "d"], "the largest first, ties by name"
    assert importances.top == ("c", pytest.approx(0.45))


def test_slots_stay_in_the_order_of_the_vector() -> None:
    importances = compute_importances(MODEL, ALGORITHM, SLOTS)
    assert list(importances.slots.items()) == list(zip([slot.name for slot in SLOTS], MODEL.weights, strict=True))


def test_the_order_survives_json() -> None:
    importances = compute_importances(MODEL, ALGORITHM, SLOTS)
    back = Importances.model_validate_json(importances.model_dump_json())
    assert back == importances
    assert list(back.features) == list(importances.features)
    assert back.top == importances.top


@pytest.mark.parametrize("slots", [SLOTS[:-1], [*SLOTS, Slot("e", "e")], []])
def test_weights_and_slots_of_another_preprocessor_are_refused(slots: list[Slot]) -> None:
    with pytest.raises(ValueError) as caught:
        compute_importances(MODEL, ALGORITHM, slots)
    assert get_code(caught.value) == "evaluation.other-preprocessor"
    assert get_values(caught.value) == {"weights": 6, "slots": len(slots)}
