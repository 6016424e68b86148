"""The section training: shares that add up, days, targets, search and formulas."""

import pytest
from pydantic import ValidationError

from traffic_assets.settings.training import PreprocessingSettings, SearchSettings, SplitSettings, TrainingSettings


@pytest.mark.parametrize(
    ("shares", "total"), [((0.8, 0.1, 0.2), "1.1"), ((0.5, 0.0, 0.2), "0.7"), ((0.8, 0.0, 0.20001), "1.00001")]
)
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float, float, float], total: str) -> None:
    train, validation, test = shares
    with pytest.raises(ValidationError, match=rf"train \+ validation \+ test is {total}; it must be 1"):
        SplitSettings(train=train, validation=validation, test=test)


def test_shares_add_up_as_decimals_do() -> None:
    SplitSettings(train=0.7, validation=0.1, test=0.2)  # 0.9999999999999999 in binary
    for wrong in ({"train": 0, "test": 1}, {"train": 1, "test": 0}, {"train": 0.8, "validation": -0.1, "test": 0.3}):
        with pytest.raises(ValidationError):
            SplitSettings(**wrong)


def test_days_that_must_hold_readings() -> None:
    assert (TrainingSettings().window_days, TrainingSettings().required_days) == (14, 14)
    assert TrainingSettings(window_weeks=3).required_days == 21
    assert TrainingSettings(window_weeks=3, minimum_days=5).required_days == 5
    assert TrainingSettings(minimum_days=14).required_days == 14
    with pytest.raises(ValidationError, match="minimum_days 15 is more than the 14 days of the window"):
        TrainingSettings(minimum_days=15)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TrainingSettings(minimum_days=0)


def test_targets_are_named_as_users_name_them_and_once() -> None:
    assert TrainingSettings(targets=["avg_speed", "traffic_volume"]).targets == ["speed", "flow"]
    for wrong, told in (
        (["speed", "avg_speed"], "the same target twice, since these mean speed, speed; give each once"),
        (["flow", "flow"], "same target twice"),
        (["occupancy"], "'speed' or 'flow'"),
        ([], "1 item"),
    ):
        with pytest.raises(ValidationError, match=told):
            TrainingSettings(targets=wrong)


@pytest.mark.parametrize("strategy", ["tpe", "halving"])
def test_screening_needs_points_that_are_known_beforehand(strategy: str) -> None:
    assert SearchSettings(strategy="random", screen=5).screen == 5
    with pytest.raises(ValidationError, match=f"'{strategy}', which chooses as it goes; screen a grid or random draws"):
        SearchSettings.model_validate({"strategy": strategy, "screen": 5})


def test_a_formula_is_written_in_one_way() -> None:
    assert PreprocessingSettings(create=("b * a", "b/ a", "a^ 3")).create == ("a*b", "b/a", "a^3")
    with pytest.raises(ValidationError, match=r"given more than once: a\*b"):
        PreprocessingSettings(create=("a*b", "b*a"))
    with pytest.raises(ValidationError, match=r"give a product a\*b, a ratio a/b, or a power a\^2 or a\^3"):
        PreprocessingSettings(create=("a-b",))
