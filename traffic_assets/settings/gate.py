"""What the gate of a lane asks of its model. Which lane asks for what is said by its algorithm and in `evaluation`."""

from typing import Annotated

from pydantic import Field

from traffic_assets.settings.section import Section


class Targets(Section):
    """What a lane's gate enforces on the test split; absent values are not enforced."""

    r2_min: float | None = Field(default=None, description="R² on test at least this")
    rmse_max: Annotated[float, Field(gt=0)] | None = Field(default=None, description="mph, at most this")
    mae_max: Annotated[float, Field(gt=0)] | None = Field(default=None, description="mph, at most this")
    cv_r2_mean_min: float | None = Field(default=None, description="mean R² of the folds, above this")
    cv_r2_std_max: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="deviation of the folds' R², below this"
    )
