"""Settings of support vector regression."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from traffic_assets.messages import settings as messages
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings
from traffic_assets.settings.models.parameter_types import number_as_text


def _width(value: str) -> str:
    try:
        good = value in ("scale", "auto") or 0 < float(value) < math.inf
    except ValueError:
        good = False
    if not good:
        raise ValueError(messages.INVALID_GAMMA(gamma=value))
    return value


Gamma = Annotated[
    str,
    BeforeValidator(number_as_text),
    AfterValidator(_width),
    Field(description="Kernel coefficient of `rbf` and `poly`: `scale`, `auto` or a number above 0."),
]


class SVRHyperparameters(Hyperparameters):
    """Hyperparameters of scikit-learn's SVR on a bounded sample of the train rows, under scikit-learn's names.

    The fit standardizes the target, so that `C` and `epsilon` mean the same for every target. An epsilon of 0.05
    ignores errors below 5% of the target's standard deviation.
    """

    kernel: Literal["linear", "rbf", "poly"] = Field(default="rbf", description="Kernel.")
    C: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="Regularization parameter: weight of errors relative to the flatness of the function."
    )
    epsilon: Annotated[float, Field(ge=0)] = Field(
        default=0.05, description="Error without a penalty, in standard deviations of the target."
    )
    gamma: Gamma = "scale"
    degree: Annotated[int, Field(ge=1, le=10)] = Field(default=3, description="Degree of the `poly` kernel.")
    coef0: float = Field(default=0.0, description="Constant term of the `poly` kernel.")
    max_rows: Annotated[int, Field(ge=2, le=100_000)] = Field(
        default=10_000,
        description="Maximum number of train rows to fit on, sampled by hash. Time grows with their square.",
    )


class SVRSettings(ModelSettings):
    """Settings of the svr lane, which is off by default. It needs the extra `svr`."""

    enabled: bool = Field(default=False, description="Train this model.")
    hyperparameters: SVRHyperparameters = SVRHyperparameters()
    grid: Grid = {"C": [1.0, 10.0, 100.0], "epsilon": [0.01, 0.05]}


SETTINGS = SVRSettings
