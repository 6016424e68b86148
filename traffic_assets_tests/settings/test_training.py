"""The section training: shares that add up, days, targets, search and formulas."""

import pytest
from pydantic import ValidationError

from traffic_assets.settings.training import PreprocessingSettings, SearchSettings, SplitSettings, TrainingSettings
from traffic_assets_tests.settings.problems import texts


@pytest.mark.parametrize(
    ("shares", "total"), [((0.8, 0.1, 0.2), 1.1), ((0.5, 0.0, 0.2), 0.7), ((0.8, 0.0, 0.20001), 1.00001)]
)
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float, float, float], total: float) -> None:
    train, validation, test = shares
    with pytest.raises(ValidationError) as caught:
        SplitSettings(train=train, validation=validation, test=test)
    (text,) = texts(caught.value)
    assert text.code == "settings.shares-not-one"
    assert text.values["total"] == pytest.approx(total)


def test_shares_add_up_as_decimals_do() -> None:
    SplitSettings(train=0.7, validation=0.1, test=0.2)  # 0.9999999999999999 in binary
    for wrong in ({"train": 0, "test": 1}, {"train": 1, "test": 0}, {"train": 0.8, "validation": -0.1, "test": 0.3}):
        with pytest.raises(ValidationError):
            SplitSettings(**wrong)


def test_days_that_must_have_readings() -> None:
    assert (TrainingSettings().window_days, TrainingSettings().required_days) == (14, 14)
    assert TrainingSettings(window_weeks=3).required_days == 21
    assert TrainingSettings(window_weeks=3, minimum_days=5).required_days == 5
    assert TrainingSettings(minimum_days=14).required_days == 14
    for days, code, values in (
        (15, "settings.too-many-days", {"minimum_days": 15, "window_days": 14}),
        (0, "settings.out-of-range", {"given": 0, "limit": "a number of at least 1"}),
    ):
        with pytest.raises(ValidationError) as caught:
            TrainingSettings(minimum_days=days)
        (text,) = texts(caught.value)
        assert (text.code, text.values) == (code, values)


def test_targets_are_named_as_users_name_them_and_once() -> None:
    assert TrainingSettings(targets=["avg_speed", "traffic_volume"]).targets == ["speed", "flow"]
    for wrong, code, values in (
        (
            ["speed", "avg_speed"],
            "settings.duplicate-targets",
            {"given": ["speed", "avg_speed"], "targets": ["speed", "speed"]},
        ),
        (["flow", "flow"], "settings.duplicate-targets", {"given": ["flow", "flow"], "targets": ["flow", "flow"]}),
        (["occupancy"], "settings.invalid-choice", {"given": "occupancy", "allowed": "'speed' or 'flow'"}),
        ([], "settings.invalid-length", {"given": [], "limit": "at least 1 item after validation"}),
    ):
        with pytest.raises(ValidationError) as caught:
            TrainingSettings.model_validate({"targets": wrong})
        (text,) = texts(caught.value)
        assert (text.code, text.values) == (code, values)


@pytest.mark.parametrize("strategy", ["tpe", "halving"])
def test_screening_needs_points_that_are_known_beforehand(strategy: str) -> None:
    assert SearchSettings(strategy="random", screen=5).screen == 5
    with pytest.raises(ValidationError) as caught:
        SearchSettings.model_validate({"strategy": strategy, "screen": 5})
    (text,) = texts(caught.value)
    assert (text.code, text.values) == ("settings.screened-strategy", {"screen": 5, "strategy": strategy})


def test_a_formula_has_one_form() -> None:
    assert PreprocessingSettings(create=("b * a", "b/ a", "a^ 3")).create == ("a*b", "b/a", "a^3")
    for formulas, code, values in (
        (("a*b", "b*a"), "settings.duplicate-formulas", {"formulas": ["a*b"]}),
        (("a-b",), "settings.invalid-formula", {"formula": "a-b"}),
        (("a*a",), "settings.square-as-product", {"formula": "a*a", "feature": "a"}),
        (("a/a",), "settings.constant-ratio", {"formula": "a/a"}),
    ):
        with pytest.raises(ValidationError) as caught:
            PreprocessingSettings(create=formulas)
        (text,) = texts(caught.value)
        assert (text.code, text.values) == (code, values)
