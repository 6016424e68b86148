"""Settings of the ensemble."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails

from traffic_assets.messages import settings as messages
from traffic_assets.settings.models import built_in_settings
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings
from traffic_assets.settings.pydantic_errors import coded_error, error_at


class EnsembleHyperparameters(Hyperparameters):
    """Hyperparameters of a weighted sum of other models' predictions.

    Stacking fits non-negative weights by least squares, on predictions for rows that the members were not fitted on. If
    weights are set, only their ratios count.
    """

    method: Literal["weighted", "stacking"] = Field(
        default="stacking", description="`weighted` averages the members, `stacking` finds weights by least squares."
    )
    members: dict[str, dict[str, Any]] = Field(
        default={"linear_regression": {}, "random_forest": {}},
        description="Hyperparameters by member. Missing ones come from the member's own section.",
    )
    weights: dict[str, Annotated[float, Field(ge=0)]] | None = Field(
        default=None, description="Weights of `weighted` by member. Default: the inverse mean squared error."
    )
    folds: Annotated[int, Field(ge=2, le=20)] = Field(
        default=3, description="Number of parts of the rows for the members' out-of-fold predictions."
    )

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @field_validator("members")
    @classmethod
    def _members_are_valid(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        allowed = member_classes()
        if len(value) < 2:
            raise ValueError(messages.TOO_FEW_MEMBERS(count=len(value), allowed=list(allowed)))
        errors: list[InitErrorDetails] = []
        members = {}
        for name, hyperparameters in value.items():
            if name not in allowed:
                text = messages.UNKNOWN_MEMBER(name=name, allowed=list(allowed))
                errors.append(coded_error((name,), text, hyperparameters))
                continue
            try:
                members[name] = allowed[name].model_validate(hyperparameters).model_dump(exclude_unset=True)
            except ValidationError as error:
                errors += [_member_error(name, allowed[name], item) for item in error.errors()]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return members

    @model_validator(mode="after")
    def _weights_are_of_the_members(self) -> "EnsembleHyperparameters":
        if self.weights is None:
            return self
        if self.method != "weighted":
            raise ValueError(messages.WEIGHTS_WITHOUT_WEIGHTED(method=self.method))
        if set(self.weights) != set(self.members):
            raise ValueError(messages.WEIGHTS_OF_OTHER_MEMBERS(weights=list(self.weights), members=list(self.members)))
        if not sum(self.weights.values()):
            raise ValueError(messages.ZERO_WEIGHTS(members=list(self.members)))
        return self

    @property
    def member_hyperparameters(self) -> dict[str, Hyperparameters]:
        """Hyperparameters of each member, as an object of the member's own class."""
        kinds = member_classes()
        return {name: kinds[name].model_validate(values) for name, values in self.members.items()}

    def complete_from(self, lanes: Mapping[str, Hyperparameters]) -> "EnsembleHyperparameters":
        """Return the ensemble with missing hyperparameters of its members taken from lanes.

        Args:
            lanes: Hyperparameters by model.

        Raises:
            pydantic.ValidationError: If the combination of configured and added hyperparameters is not allowed.
        """
        members = {n: (lanes[n].model_dump() if n in lanes else {}) | values for n, values in self.members.items()}
        return type(self).model_validate(self.model_dump() | {"members": members})


class EnsembleSettings(ModelSettings):
    """Settings of the ensemble lane, which is off by default."""

    enabled: bool = Field(default=False, description="Train this model.")
    hyperparameters: EnsembleHyperparameters = EnsembleHyperparameters()
    grid: Grid = {"method": ["weighted", "stacking"]}
    _lanes: dict[str, Hyperparameters] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _weights_leave_no_default_grid(cls, values: Any) -> Any:
        """Leave out the default grid if weights are set: it tries both methods, and weights belong to one."""
        hyperparameters = values.get("hyperparameters") if isinstance(values, dict) else None
        if isinstance(hyperparameters, EnsembleHyperparameters):
            hyperparameters = hyperparameters.model_dump()
        weighted = isinstance(hyperparameters, dict) and hyperparameters.get("weights") is not None
        return {"grid": {}, **values} if weighted else values

    def with_lanes(self, lanes: Mapping[str, Hyperparameters]) -> "EnsembleSettings":
        """Return the settings with the members' missing hyperparameters taken from lanes, as in later overrides."""
        grid = dict(self.grid)
        if isinstance(tried := grid.get("members"), list):
            others = self.hyperparameters.model_dump()
            grid["members"] = [
                EnsembleHyperparameters.model_validate(others | {"members": m}).complete_from(lanes).members
                for m in tried
            ]
        completed = self.model_copy(update={"hyperparameters": self.hyperparameters.complete_from(lanes), "grid": grid})
        completed._lanes = dict(lanes)
        return completed

    def override_hyperparameters(self, given: Mapping[str, Any]) -> Hyperparameters:
        """Return hyperparameters that replace those of the profile, completed from the lanes."""
        return EnsembleHyperparameters.model_validate(given).complete_from(self._lanes)


def _member_error(member: str, kind: type[Hyperparameters], error: ErrorDetails) -> InitErrorDetails:
    path = (member, *error["loc"])
    if error["type"] != "extra_forbidden":
        return error_at(path, error)
    text = messages.UNKNOWN_HYPERPARAMETER(name=str(error["loc"][-1]), allowed=list(kind.model_fields))
    return coded_error(path, text, error["input"])


def member_classes() -> dict[str, type[Hyperparameters]]:
    """Return the class of the hyperparameters of each model that an ensemble can combine: every other built-in one."""
    kinds = {name: kind for name, kind in built_in_settings().items() if not issubclass(kind, EnsembleSettings)}
    return {name: kind.hyperparameters_class() for name, kind in kinds.items()}


SETTINGS = EnsembleSettings
