"""Settings of linear regression."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from traffic_assets.messages import settings as messages
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings, Range
from traffic_assets.settings.section import LARGEST_INTEGER


class LinearRegressionHyperparameters(Hyperparameters):
    """Hyperparameters of MLlib's LinearRegression: least squares with an elastic-net penalty."""

    maxIter: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] = Field(
        default=100, description="Maximum number of iterations."
    )
    regParam: Annotated[float, Field(ge=0)] = Field(default=0.01, description="Strength of the penalty. 0 is none.")
    elasticNetParam: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="Elastic-net mixing parameter, from 0 (ridge) to 1 (lasso)."
    )
    fitIntercept: bool = Field(default=True, description="Fit an intercept.")


@dataclass(frozen=True)
class Penalty:
    """A penalty by name, as MLlib's `regParam` (strength) and `elasticNetParam` (mixing parameter).

    Attributes:
        defaults: Values of hyperparameters that the settings leave out.
        allows: Function that returns whether `regParam` and `elasticNetParam` belong to this penalty.
        rule: Values that `allows` accepts, in words.
        grid: Values that a search tries.
    """

    defaults: dict[str, float]
    allows: Callable[[float, float], bool]
    rule: str
    grid: dict[str, list[float]]


_STRENGTHS = [0.001, 0.01, 0.1, 1.0]
PENALTIES = {
    "none": Penalty({"regParam": 0.0}, lambda strength, _: strength == 0, "regParam 0", {}),
    "ridge": Penalty(
        {"elasticNetParam": 0.0},
        lambda strength, mixture: strength > 0 and mixture == 0,
        "regParam above 0 and elasticNetParam 0",
        {"regParam": _STRENGTHS},
    ),
    "lasso": Penalty(
        {"elasticNetParam": 1.0},
        lambda strength, mixture: strength > 0 and mixture == 1,
        "regParam above 0 and elasticNetParam 1",
        {"regParam": _STRENGTHS},
    ),
    "elastic_net": Penalty(
        {"elasticNetParam": 0.5},
        lambda strength, mixture: strength > 0 and 0 < mixture < 1,
        "regParam above 0 and elasticNetParam between 0 and 1",
        {"regParam": _STRENGTHS, "elasticNetParam": [0.2, 0.5, 0.8]},
    ),
}
"""Penalties by name: none, on squared coefficients, on their absolute values, or on both."""


class LinearRegressionSettings(ModelSettings):
    """Settings of the linear_regression lane."""

    thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.90, rmse_max=5.0, mae_max=3.0)
    hyperparameters: LinearRegressionHyperparameters = LinearRegressionHyperparameters()
    penalty: Literal["none", "ridge", "lasso", "elastic_net"] | None = Field(
        default=None,
        description="Penalty by name. Sets `regParam`, `elasticNetParam` and the grid unless they are set.",
    )
    grid: Grid = {"regParam": [0.0, 0.01, 0.1], "elasticNetParam": [0.0, 0.5]}

    @model_validator(mode="before")
    @classmethod
    def _penalty_fills_in(cls, values: Any) -> Any:
        penalty = PENALTIES.get(str(values.get("penalty"))) if isinstance(values, dict) else None
        if penalty is None or not isinstance(values.get("hyperparameters", {}), dict):
            return values
        hyperparameters = {**penalty.defaults, **values.get("hyperparameters", {})}
        return {"grid": penalty.grid, **values, "hyperparameters": hyperparameters}

    @model_validator(mode="after")
    def _penalty_holds(self) -> "LinearRegressionSettings":
        if self.penalty is None:
            return self
        h, penalty = self.hyperparameters, PENALTIES[self.penalty]
        tried = [("hyperparameters", h.regParam, h.elasticNetParam)]
        for name, values in self.grid.items():
            for value in [values.low, values.high] if isinstance(values, Range) else values:
                point = h.model_copy(update={name: float(value)})
                tried.append((f"grid.{name}", point.regParam, point.elasticNetParam))
        for section, strength, mixture in tried:
            if not penalty.allows(strength, mixture):
                raise ValueError(
                    messages.CONTRADICTED_PENALTY(
                        penalty=self.penalty,
                        section=section,
                        reg_param=strength,
                        elastic_net_param=mixture,
                        rule=penalty.rule,
                    )
                )
        return self


SETTINGS = LinearRegressionSettings
