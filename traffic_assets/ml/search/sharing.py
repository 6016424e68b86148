"""One fit for many trials: a big forest holds every smaller one of the grid.

The first trees of a boosted ensemble are the smaller ensemble, exactly. A forest's first trees, and its trees cut at
a depth, are forests as good as one grown to that size (they differ by the draw of the seed). Splits that leave a
child under a larger `minInstancesPerNode` are taken back, which comes close to what would have been grown. So trials
are ranked by reading; the winner is fitted itself before anything is reported (`runner.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from traffic_assets.ml.algorithms.spec import Sharing
from traffic_assets.ml.trees import Cut
from traffic_assets.settings.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Group:
    """Trials that one fit answers for.

    Attributes:
        grown: hyperparameters of the fit.
        members: positions of the trials among those tried.
        cuts: where each member lies inside the fit; empty where the fit is the one member itself.
    """

    grown: Hyperparameters
    members: tuple[int, ...]
    cuts: tuple[Cut, ...]

    def exact(self, hyperparameters: Hyperparameters, sharing: Sharing | None) -> bool:
        """Whether what is read is what a fit of its own would have given."""
        if not self.cuts or sharing is None or hyperparameters == self.grown:
            return True
        given, grown = hyperparameters.model_dump(), self.grown.model_dump()
        return not sharing.average and all(given[k] == grown[k] for k in given if k != sharing.trees)


def groups(tried: Sequence[Hyperparameters], sharing: Sharing | None) -> list[Group]:
    """The fewest fits that answer for all trials.

    Args:
        tried: hyperparameters of one algorithm.
        sharing: which of them a fit answers for; None fits each by itself.
    """
    if sharing is None:
        return [Group(h, (i,), ()) for i, h in enumerate(tried)]
    shared = [name for name in (sharing.trees, sharing.depth, sharing.min_rows) if name]
    alike: dict[str, list[int]] = {}
    for i, hyperparameters in enumerate(tried):
        rest = {k: v for k, v in hyperparameters.model_dump().items() if k not in shared}
        alike.setdefault(json.dumps(rest, sort_keys=True), []).append(i)
    return [_group(tried, members, sharing) for members in alike.values()]


def _group(tried: Sequence[Hyperparameters], members: Sequence[int], sharing: Sharing) -> Group:
    if len(members) == 1:
        return Group(tried[members[0]], tuple(members), ())
    given = [tried[i].model_dump() for i in members]
    grown = dict(given[0]) | {sharing.trees: max(g[sharing.trees] for g in given)}
    if sharing.depth:
        grown[sharing.depth] = max(g[sharing.depth] for g in given)
    if sharing.min_rows:
        grown[sharing.min_rows] = min(g[sharing.min_rows] for g in given)
    cuts = tuple(
        Cut(
            trees=g[sharing.trees],
            depth=g[sharing.depth] if sharing.depth else sharing.deepest,
            min_rows=g[sharing.min_rows] if sharing.min_rows else 1,
        )
        for g in given
    )
    return Group(type(tried[0]).model_validate(grown), tuple(members), cuts)
