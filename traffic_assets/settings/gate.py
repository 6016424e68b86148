"""Thresholds of a lane's gate.

The defaults of each model are in its module of `models`, overrides in the section `evaluation`.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from traffic_assets.deprecation import moved_names
from traffic_assets.settings.section import Section


class GateThresholds(Section):
    """Limits that a lane's gate enforces; absent values are not enforced."""

    r2_min: float | None = Field(default=None, description="Minimum R² on test.")
    rmse_max: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Maximum RMSE on test, in the target's unit."
    )
    mae_max: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Maximum MAE on test, in the target's unit."
    )
    cv_r2_mean_min: float | None = Field(default=None, description="Exclusive lower bound of the mean R² of the folds.")
    cv_r2_std_max: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Exclusive upper bound of the standard deviation of the folds' R²."
    )


if TYPE_CHECKING:
    Targets = GateThresholds
else:
    __getattr__ = moved_names(__name__, {"Targets": f"{__name__}:GateThresholds"})
