"""One fit for many trials: a large ensemble contains every smaller one of the grid.

The first trees of a boosted ensemble are exactly the smaller ensemble. The first trees of a forest, and its trees cut
at a depth, are as accurate as a forest of that size. Only the random draws differ. A split whose child has fewer rows
than a larger `minInstancesPerNode` is undone. The result is close to a tree that is fitted with that value. Therefore
these metrics only rank trials. The best trial is fitted separately before it is reported (`search/runner.py`).

The trees are read into this process, so a fit that may grow too many nodes is not shared (`MOST_NODES`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traffic_assets.ml.algorithm import SharedFit
from traffic_assets.ml.estimators.tree_arrays import Cut
from traffic_assets.settings.models.base import Hyperparameters

MOST_NODES = 2_000_000
"""Maximum number of nodes of a shared fit. A node takes 44 bytes as arrays and about 200 while it is read. At this
number, each fold that is evaluated concurrently takes 400 MB of this process, and 90 MB of every Spark worker. The
default grid of the random forest, up to 150 trees of depth 12, has 1.2 million."""


@dataclass(frozen=True)
class TrialGroup:
    """Trials that are evaluated from one fit.

    Attributes:
        superset: Hyperparameters of the fit, which contains the ensemble of every member.
        members: Positions of the trials among those tried.
        cuts: Each member's part of the fit; empty if the fit is itself the only member.
        exact_member: Member that equals the fit, if any; the others are read from it.
    """

    superset: Hyperparameters
    members: tuple[int, ...]
    cuts: tuple[Cut, ...] = ()
    exact_member: int | None = None

    @property
    def exact_position(self) -> int | None:
        """Position of the exact member among the members."""
        return None if self.exact_member is None else self.members.index(self.exact_member)


def single_group(hyperparameters: Hyperparameters) -> TrialGroup:
    """Return the group of one trial that gets a fit of its own."""
    return TrialGroup(hyperparameters, (0,), exact_member=0)


def group_trials(tried: Sequence[Hyperparameters], sharing: SharedFit | None, rows: int) -> list[TrialGroup]:
    """Return as few groups as possible: trials that differ only in size share a fit of at most `MOST_NODES` nodes.

    Args:
        tried: Hyperparameters of one algorithm.
        sharing: Hyperparameters in which trials of a group may differ; None gives each trial a fit of its own.
        rows: Upper bound of the number of train rows; a tree has no more leaves.

    Returns:
        Groups in the order of their first trials, with their trials in the given order.
    """
    if sharing is None:
        return [TrialGroup(h, (i,), exact_member=i) for i, h in enumerate(tried)]
    shared = [name for name in (sharing.trees, sharing.depth, sharing.min_rows) if name]
    alike: dict[str, list[int]] = {}
    for i, hyperparameters in enumerate(tried):
        rest = {k: v for k, v in hyperparameters.model_dump().items() if k not in shared}
        alike.setdefault(json.dumps(rest, sort_keys=True), []).append(i)
    bounded = [members for some in alike.values() for members in _bound_parts(tried, some, sharing, rows)]
    return [_group(tried, members, sharing) for members in sorted(bounded)]


def _bound_parts(
    tried: Sequence[Hyperparameters], alike: Sequence[int], sharing: SharedFit, rows: int
) -> list[tuple[int, ...]]:
    """Divide the trials into parts of at most `MOST_NODES` nodes; a trial with more nodes is a separate part.

    Trials are placed from the largest to the smallest, each into the first part where it fits.
    """
    parameters = {i: tried[i].model_dump() for i in alike}
    parts: list[list[int]] = []
    fits: list[dict[str, Any]] = []
    for i in sorted(alike, key=lambda i: (-most_nodes(parameters[i], sharing, rows), i)):
        together = [_superset([fit, parameters[i]], sharing) for fit in fits]
        place = next((n for n, fit in enumerate(together) if most_nodes(fit, sharing, rows) <= MOST_NODES), None)
        if place is None:
            parts.append([i])
            fits.append(parameters[i])
        else:
            parts[place].append(i)
            fits[place] = together[place]
    return [tuple(sorted(part)) for part in parts]


def most_nodes(parameters: Mapping[str, Any], sharing: SharedFit, rows: int) -> int:
    """Return the maximum number of nodes of an ensemble with these hyperparameters, fitted on `rows` rows."""
    levels = sharing.depth or sharing.levels
    deepest = parameters[levels] if levels else sharing.deepest
    return int(parameters[sharing.trees]) * min(2 ** (deepest + 1), 2 * rows)


def _superset(parameters: Sequence[dict[str, Any]], sharing: SharedFit) -> dict[str, Any]:
    """Return the hyperparameters of the smallest fit that contains all of these."""
    superset = parameters[0] | {sharing.trees: max(g[sharing.trees] for g in parameters)}
    if sharing.depth:
        superset[sharing.depth] = max(g[sharing.depth] for g in parameters)
    if sharing.min_rows:
        superset[sharing.min_rows] = min(g[sharing.min_rows] for g in parameters)
    return superset


def _group(tried: Sequence[Hyperparameters], members: Sequence[int], sharing: SharedFit) -> TrialGroup:
    if len(members) == 1:
        return TrialGroup(tried[members[0]], tuple(members), exact_member=members[0])
    parameters = [tried[i].model_dump() for i in members]
    superset = _superset(parameters, sharing)
    cuts = tuple(
        Cut(
            trees=g[sharing.trees],
            depth=g[sharing.depth] if sharing.depth else sharing.deepest,
            min_rows=g[sharing.min_rows] if sharing.min_rows else 1,
        )
        for g in parameters
    )
    whole = type(tried[0]).model_validate(superset)
    return TrialGroup(whole, tuple(members), cuts, next((i for i in members if tried[i] == whole), None))
