"""One fit for many trials: each trial lies in exactly one group, inside what is grown."""

from hypothesis import given
from hypothesis import strategies as st

from traffic_assets.ml.algorithms import ALGORITHMS
from traffic_assets.ml.search.sharing import groups
from traffic_assets.settings.hyperparameters import (
    GradientBoostedTreesHyperparameters,
    LinearRegressionHyperparameters,
    RandomForestHyperparameters,
    RandomForestSettings,
    grid_points,
)

FOREST, BOOSTED = ALGORITHMS["random_forest"].sharing, ALGORITHMS["gradient_boosted_trees"].sharing

forests = st.builds(
    RandomForestHyperparameters,
    numTrees=st.integers(1, 200),
    maxDepth=st.integers(1, 15),
    minInstancesPerNode=st.integers(1, 20),
    maxBins=st.sampled_from([32, 64]),
)


@given(st.lists(forests, min_size=1, max_size=12))
def test_every_trial_lies_inside_the_one_fit_that_answers_for_it(tried: list[RandomForestHyperparameters]) -> None:
    found = groups(tried, FOREST)
    assert sorted(i for group in found for i in group.members) == list(range(len(tried)))
    for group in found:
        grown = group.grown
        assert isinstance(grown, RandomForestHyperparameters)
        for position, i in enumerate(group.members):
            trial = tried[i]
            assert trial.maxBins == grown.maxBins
            assert trial.numTrees <= grown.numTrees
            assert trial.maxDepth <= grown.maxDepth
            assert trial.minInstancesPerNode >= grown.minInstancesPerNode
            if group.cuts:
                cut = group.cuts[position]
                assert (cut.trees, cut.depth, cut.min_rows) == (
                    trial.numTrees,
                    trial.maxDepth,
                    trial.minInstancesPerNode,
                )
            assert group.exact(trial, FOREST) == (trial == grown)


def test_the_whole_grid_of_the_plan_is_one_fit() -> None:
    settings = RandomForestSettings()
    tried = grid_points(settings.hyperparameters, settings.grid)
    assert len(tried) == 27
    (group,) = groups(tried, FOREST)
    assert group.grown == RandomForestHyperparameters(numTrees=150, maxDepth=12, minInstancesPerNode=1)


def test_boosting_shares_its_first_trees_alone_and_exactly() -> None:
    tried = [GradientBoostedTreesHyperparameters(maxIter=i, maxDepth=d) for d in (3, 4) for i in (10, 20)]
    found = groups(tried, BOOSTED)
    assert [group.members for group in found] == [(0, 1), (2, 3)]
    assert all(group.exact(tried[i], BOOSTED) for group in found for i in group.members)


def test_without_sharing_each_trial_is_its_own_fit() -> None:
    tried = [LinearRegressionHyperparameters(regParam=r) for r in (0.0, 1.0)]
    found = groups(tried, ALGORITHMS["linear_regression"].sharing)
    assert [(group.grown, group.members, group.cuts) for group in found] == [(tried[0], (0,), ()), (tried[1], (1,), ())]
