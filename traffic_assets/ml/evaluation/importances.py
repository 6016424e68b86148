"""Importances of slots, summed by feature."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from traffic_assets.messages import evaluation as messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.ml.preprocessing.slots import Slot


class Importances(BaseModel):
    """Weights of the features in a model.

    Attributes:
        kind: Meaning of the weights.
        features: Weight by feature, the largest first; the slots of a categorical feature are summed.
        slots: Weight by slot, in the order of the vector.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    features: dict[str, float]
    slots: dict[str, float]

    @property
    def top(self) -> tuple[str, float]:
        """Most important feature and its weight."""
        return next(iter(self.features.items()))


def compute_importances(model: Any, algorithm: Algorithm, slots: Sequence[Slot]) -> Importances:
    """Return the importances of a fitted model.

    Raises:
        ValueError: If the model was not fitted on these slots.
    """
    weights = algorithm.importances(model)
    if len(weights) != len(slots):
        raise ValueError(messages.OTHER_PREPROCESSOR(weights=len(weights), slots=len(slots)))
    features: dict[str, float] = {}
    for slot, weight in zip(slots, weights, strict=True):
        features[slot.feature] = features.get(slot.feature, 0.0) + float(weight)
    return Importances(
        kind=algorithm.importance_kind,
        features=dict(sorted(features.items(), key=lambda item: (-item[1], item[0]))),
        slots={slot.name: float(weight) for slot, weight in zip(slots, weights, strict=True)},
    )
