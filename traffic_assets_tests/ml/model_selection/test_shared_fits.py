"""One fit for many trials: each trial is in exactly one group and contained in its superset."""

from hypothesis import given
from hypothesis import strategies as st

from traffic_assets.ml.algorithm import algorithm_named
from traffic_assets.ml.model_selection.shared_fits import MOST_NODES, group_trials, most_nodes
from traffic_assets.settings.models.base import grid_points
from traffic_assets.settings.models.gradient_boosted_trees import GradientBoostedTreesHyperparameters
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters, RandomForestSettings

FOREST, BOOSTED = algorithm_named("random_forest").shared_fit, algorithm_named("gradient_boosted_trees").shared_fit
ROWS = 1_000_000

forests = st.builds(
    RandomForestHyperparameters,
    numTrees=st.integers(1, 200),
    maxDepth=st.integers(1, 15),
    minInstancesPerNode=st.integers(1, 20),
    maxBins=st.sampled_from([32, 64]),
)


@given(st.lists(forests, min_size=1, max_size=12))
def test_every_trial_is_in_one_group_and_contained_in_its_superset(tried: list[RandomForestHyperparameters]) -> None:
    groups = group_trials(tried, FOREST, ROWS)
    assert sorted(i for group in groups for i in group.members) == list(range(len(tried)))
    assert groups == sorted(groups, key=lambda group: group.members)
    for group in groups:
        superset = group.superset
        assert FOREST is not None
        assert not group.cuts or most_nodes(superset.model_dump(), FOREST, ROWS) <= MOST_NODES
        assert isinstance(superset, RandomForestHyperparameters)
        for position, i in enumerate(group.members):
            trial = tried[i]
            assert trial.maxBins == superset.maxBins
            assert trial.numTrees <= superset.numTrees
            assert trial.maxDepth <= superset.maxDepth
            assert trial.minInstancesPerNode >= superset.minInstancesPerNode
            if group.cuts:
                cut = group.cuts[position]
                assert (cut.trees, cut.depth, cut.min_rows) == (
                    trial.numTrees,
                    trial.maxDepth,
                    trial.minInstancesPerNode,
                )
            assert group.exact_member is not None or trial != superset
        assert group.exact_member is None or tried[group.exact_member] == superset


def test_the_whole_grid_of_the_plan_is_one_fit() -> None:
    settings = RandomForestSettings()
    tried = grid_points(settings.hyperparameters, settings.grid)
    assert len(tried) == 27
    (group,) = group_trials(tried, FOREST, ROWS)
    assert group.superset == RandomForestHyperparameters(numTrees=150, maxDepth=12, minInstancesPerNode=1)


def test_shared_fits_are_bounded_and_the_largest_trials_are_fitted_separately() -> None:
    """Check that the largest forests are not shared, and that few deep and many shallow trees get one fit each."""
    deep = [RandomForestHyperparameters(numTrees=n, maxDepth=30) for n in (100, 200)]
    small = [RandomForestHyperparameters(numTrees=n, maxDepth=d) for n in (50, 100) for d in (5, 10)]
    tried = [small[0], deep[0], *small[1:], deep[1]]
    groups = group_trials(tried, FOREST, ROWS)
    assert [group.members for group in groups] == [(0, 2, 3, 4), (1,), (5,)]
    assert [group.cuts == () for group in groups] == [False, True, True]
    assert [group.members for group in group_trials(tried, FOREST, 5000)] == [tuple(range(6))], "few rows, few leaves"
    wide, narrow = (
        [RandomForestHyperparameters(numTrees=n + i, maxDepth=d) for i in range(2)] for n, d in ((900, 8), (10, 16))
    )
    assert [group.members for group in group_trials([*wide, *narrow], FOREST, ROWS)] == [(0, 1), (2, 3)]


def test_boosting_is_bounded_by_its_depth_even_though_it_is_not_cut() -> None:
    for depth, members in ((8, [(0, 1)]), (17, [(0,), (1,)])):
        tried = [GradientBoostedTreesHyperparameters(maxIter=i, maxDepth=depth) for i in (10, 20)]
        assert [group.members for group in group_trials(tried, BOOSTED, ROWS)] == members


def test_boosting_shares_only_its_first_trees() -> None:
    tried = [GradientBoostedTreesHyperparameters(maxIter=i, maxDepth=d) for d in (3, 4) for i in (10, 20)]
    groups = group_trials(tried, BOOSTED, ROWS)
    assert [group.members for group in groups] == [(0, 1), (2, 3)]
    assert [group.exact_member for group in groups] == [1, 3], "the others are fitted separately if they win"


def test_without_sharing_each_trial_has_its_own_fit() -> None:
    tried = [LinearRegressionHyperparameters(regParam=r) for r in (0.0, 1.0)]
    groups = group_trials(tried, algorithm_named("linear_regression").shared_fit, ROWS)
    assert [(group.superset, group.members, group.cuts) for group in groups] == [
        (tried[0], (0,), ()),
        (tried[1], (1,), ()),
    ]
