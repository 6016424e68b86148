"""Settings of the ensemble."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from traffic_assets.settings.models import built_in_settings
from traffic_assets.settings.models.base import Grid, Hyperparameters, ModelSettings


class EnsembleHyperparameters(Hyperparameters):
    """A weighted sum of other models' predictions.

    Attributes:
        method: weighted (an average) or stacking (weights by least squares, none below 0, on predictions for rows
            that the members were not fitted on).
        members: by algorithm, its hyperparameters; in a settings file those that are not given are the lane's own.
        weights: of weighted, by member; only their ratios count. The inverse mean squared error if absent.
        folds: how many parts the rows are cut into for predictions on rows that a member was not fitted on.
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
        default=3, description="Parts of the rows for out-of-fold predictions of the members."
    )

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @field_validator("members")
    @classmethod
    def _members_are_valid(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        allowed = member_classes()
        if len(value) < 2:
            raise ValueError(f"an ensemble needs at least 2 members; the algorithms are {', '.join(allowed)}")
        problems, checked = [], {}
        for name, given in value.items():
            if name not in allowed:
                problems.append(f"{name}: not an algorithm for an ensemble; allowed: {', '.join(allowed)}")
                continue
            try:
                checked[name] = allowed[name].model_validate(given).model_dump(exclude_unset=True)
            except ValidationError as error:
                names = ", ".join(allowed[name].model_fields)
                problems += [
                    f"{name}.{'.'.join(map(str, e['loc']))}: given {e['input']!r}; "
                    f"{f'not a hyperparameter of it; allowed: {names}' if e['type'] == 'extra_forbidden' else e['msg']}"
                    for e in error.errors()
                ]
        if problems:
            raise ValueError("; ".join(problems))
        return checked

    @model_validator(mode="after")
    def _weights_are_of_the_members(self) -> "EnsembleHyperparameters":
        if self.weights is None:
            return self
        if self.method != "weighted":
            raise ValueError(f"weights are for the method 'weighted'; {self.method!r} finds its own: leave them out")
        if set(self.weights) != set(self.members):
            raise ValueError(f"weights are of {', '.join(self.weights)}; the members are {', '.join(self.members)}")
        if not sum(self.weights.values()):
            raise ValueError("every weight is 0; give at least one above")
        return self

    @property
    def validated(self) -> dict[str, Hyperparameters]:
        """The members' hyperparameters, each of its own class."""
        kinds = member_classes()
        return {name: kinds[name].model_validate(given) for name, given in self.members.items()}

    def filled(self, lanes: Mapping[str, Hyperparameters]) -> "EnsembleHyperparameters":
        """The same ensemble, whose members take what is not given from these.

        Raises:
            pydantic.ValidationError: where what is given does not go with what is filled in.
        """
        members = {n: (lanes[n].model_dump() if n in lanes else {}) | given for n, given in self.members.items()}
        return type(self).model_validate(self.model_dump() | {"members": members})


class EnsembleSettings(ModelSettings):
    """Settings of the ensemble lane, which is off unless it is enabled."""

    enabled: bool = Field(default=False, description="Train this model.")
    hyperparameters: EnsembleHyperparameters = EnsembleHyperparameters()
    grid: Grid = {"method": ["weighted", "stacking"]}
    _lanes: dict[str, Hyperparameters] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _weights_leave_no_default_grid(cls, given: Any) -> Any:
        """Weights that are given hold for one method; the default grid tries the other too."""
        hyperparameters = given.get("hyperparameters") if isinstance(given, dict) else None
        if isinstance(hyperparameters, EnsembleHyperparameters):
            hyperparameters = hyperparameters.model_dump()
        weighted = isinstance(hyperparameters, dict) and hyperparameters.get("weights") is not None
        return {"grid": {}, **given} if weighted else given

    def with_lanes(self, lanes: Mapping[str, Hyperparameters]) -> "EnsembleSettings":
        """Return the same settings, with members that take from these lanes what is not given, also on request."""
        grid = dict(self.grid)
        if isinstance(tried := grid.get("members"), list):
            given = self.hyperparameters.model_dump()
            grid["members"] = [
                EnsembleHyperparameters.model_validate(given | {"members": m}).filled(lanes).members for m in tried
            ]
        made = self.model_copy(update={"hyperparameters": self.hyperparameters.filled(lanes), "grid": grid})
        made._lanes = dict(lanes)
        return made

    def requested(self, given: Mapping[str, Any]) -> Hyperparameters:
        return EnsembleHyperparameters.model_validate(given).filled(self._lanes)


def member_classes() -> dict[str, type[Hyperparameters]]:
    """Return the hyperparameters of each model that an ensemble can combine: every other built-in one."""
    kinds = {name: kind for name, kind in built_in_settings().items() if not issubclass(kind, EnsembleSettings)}
    return {name: kind.hyperparameters_class() for name, kind in kinds.items()}


SETTINGS = EnsembleSettings
