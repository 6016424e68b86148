"""One fit for many trials: a big forest holds every smaller one of the grid.

The first trees of a boosted ensemble are the smaller ensemble, exactly. A forest's first trees, and its trees cut at
a depth, are forests as good as one grown to that size (they differ by the draw of the seed). Splits that leave a
child under a larger `minInstancesPerNode` are taken back, which comes close to what would have been grown. So trials
are ranked by reading; the winner is fitted itself before anything is reported (`runner.py`).

What is read comes to this process whole, so a fit that may grow too many nodes is not shared (`MOST_NODES`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traffic_assets.ml.algorithm import SharedFit
from traffic_assets.ml.estimators.tree_arrays import Cut
from traffic_assets.settings.models.base import Hyperparameters

MOST_NODES = 2_000_000
"""Nodes that a shared fit may grow at most. A node takes 44 bytes as arrays and some 200 while it is read, in each fold
that is judged at the same time, and every worker holds a copy: 400 MB here, 90 MB there. The plan's grid of 150 trees
of depth 12 has 1.2 million."""


@dataclass(frozen=True)
class Group:
    """Trials that one fit answers for.

    Attributes:
        grown: hyperparameters of the fit.
        members: positions of the trials among those tried.
        cuts: where each member lies inside the fit; empty where the fit is the one member itself.
        itself: the member that the fit is, if any; the others are read from it.
    """

    grown: Hyperparameters
    members: tuple[int, ...]
    cuts: tuple[Cut, ...] = ()
    itself: int | None = None


def groups(tried: Sequence[Hyperparameters], sharing: SharedFit | None, rows: int) -> list[Group]:
    """Few fits that answer for all trials: one for all that are alike, as far as it grows no more than `MOST_NODES`.

    Args:
        tried: hyperparameters of one algorithm.
        sharing: which of them a fit answers for; None fits each by itself.
        rows: that are fitted on at most; a tree has no more leaves.

    Returns:
        Groups in the order of their first trials, and each one's trials in the order given.
    """
    if sharing is None:
        return [Group(h, (i,), itself=i) for i, h in enumerate(tried)]
    shared = [name for name in (sharing.trees, sharing.depth, sharing.min_rows) if name]
    alike: dict[str, list[int]] = {}
    for i, hyperparameters in enumerate(tried):
        rest = {k: v for k, v in hyperparameters.model_dump().items() if k not in shared}
        alike.setdefault(json.dumps(rest, sort_keys=True), []).append(i)
    bounded = [members for some in alike.values() for members in _bounded(tried, some, sharing, rows)]
    return [_group(tried, members, sharing) for members in sorted(bounded)]


def _bounded(
    tried: Sequence[Hyperparameters], alike: Sequence[int], sharing: SharedFit, rows: int
) -> list[tuple[int, ...]]:
    """The trials in parts that each grow no more than `MOST_NODES` together; what grows more alone is alone.

    The largest go first, each into the first part that still holds it.
    """
    given = {i: tried[i].model_dump() for i in alike}
    parts: list[list[int]] = []
    fits: list[dict[str, Any]] = []
    for i in sorted(alike, key=lambda i: (-most_nodes(given[i], sharing, rows), i)):
        together = [_grown([fit, given[i]], sharing) for fit in fits]
        place = next((n for n, fit in enumerate(together) if most_nodes(fit, sharing, rows) <= MOST_NODES), None)
        if place is None:
            parts.append([i])
            fits.append(given[i])
        else:
            parts[place].append(i)
            fits[place] = together[place]
    return [tuple(sorted(part)) for part in parts]


def most_nodes(given: Mapping[str, Any], sharing: SharedFit, rows: int) -> int:
    """How many nodes an ensemble of these hyperparameters may have, fitted on so many rows."""
    levels = sharing.depth or sharing.levels
    deepest = given[levels] if levels else sharing.deepest
    return int(given[sharing.trees]) * min(2 ** (deepest + 1), 2 * rows)


def _grown(given: Sequence[dict[str, Any]], sharing: SharedFit) -> dict[str, Any]:
    """The hyperparameters of the smallest fit that holds all of these."""
    grown = given[0] | {sharing.trees: max(g[sharing.trees] for g in given)}
    if sharing.depth:
        grown[sharing.depth] = max(g[sharing.depth] for g in given)
    if sharing.min_rows:
        grown[sharing.min_rows] = min(g[sharing.min_rows] for g in given)
    return grown


def _group(tried: Sequence[Hyperparameters], members: Sequence[int], sharing: SharedFit) -> Group:
    if len(members) == 1:
        return Group(tried[members[0]], tuple(members), itself=members[0])
    given = [tried[i].model_dump() for i in members]
    grown = _grown(given, sharing)
    cuts = tuple(
        Cut(
            trees=g[sharing.trees],
            depth=g[sharing.depth] if sharing.depth else sharing.deepest,
            min_rows=g[sharing.min_rows] if sharing.min_rows else 1,
        )
        for g in given
    )
    whole = type(tried[0]).model_validate(grown)
    return Group(whole, tuple(members), cuts, next((i for i in members if tried[i] == whole), None))
