"""Importances of slots, summed per feature."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.preprocessing.slots import Slot


class Importances(BaseModel):
    """How much each feature weighs in a model.

    Attributes:
        kind: what the weights are.
        features: weight by feature, the largest first; the slots of a categorical feature are summed.
        slots: weight by slot of the vector, in the order of the vector.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    features: dict[str, float]
    slots: dict[str, float]

    @property
    def top(self) -> tuple[str, float]:
        """The heaviest feature and its weight."""
        return next(iter(self.features.items()))


def compute_importances(model: Any, algorithm: Algorithm, slots: Sequence[Slot]) -> Importances:
    """The importances of a fitted model.

    Raises:
        ValueError: where the model was not fitted on these slots.
    """
    weights = algorithm.importances(model)
    if len(weights) != len(slots):
        raise ValueError(
            f"the model has {len(weights)} weights, the vector {len(slots)} slots: "
            f"it was fitted on another preprocessor"
        )
    features: dict[str, float] = {}
    for slot, weight in zip(slots, weights, strict=True):
        features[slot.feature] = features.get(slot.feature, 0.0) + float(weight)
    return Importances(
        kind=algorithm.importance_kind,
        features=dict(sorted(features.items(), key=lambda item: (-item[1], item[0]))),
        slots={slot.name: float(weight) for slot, weight in zip(slots, weights, strict=True)},
    )
