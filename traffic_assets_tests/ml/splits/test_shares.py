"""Shares of the splits after validation rows are carved out of train."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic_assets.ml.splits.shares import SPLITS, TEST, TRAIN, VALIDATION, Shares, sensor_counts
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.codes import get_code, get_values


@pytest.mark.parametrize(
    ("given_shares", "expected"),
    [
        ({"train": 0.8, "test": 0.2}, (0.72, 0.08, 0.2)),
        ({"train": 0.8, "test": 0.2, "carved_validation": 0.25}, (0.6, 0.2, 0.2)),
        ({"train": 0.7, "validation": 0.1, "test": 0.2}, (0.7, 0.1, 0.2)),
        ({"train": 0.7, "validation": 0.1, "test": 0.2, "carved_validation": 0.5}, (0.7, 0.1, 0.2)),
        ({"kind": "temporal", "train": 0.5, "test": 0.5}, (0.45, 0.05, 0.5)),
    ],
)
def test_shares_of_settings(given_shares: dict[str, object], expected: tuple[float, ...]) -> None:
    shares = Shares.from_settings(SplitSettings.model_validate({"validation": 0.0, **given_shares}))
    assert (shares.train, shares.validation, shares.test) == pytest.approx(expected)


@given(train=st.floats(0.05, 0.9), validation=st.floats(0, 0.5), carved=st.floats(0.01, 0.9))
def test_shares_add_up_to_one_and_none_is_empty(train: float, validation: float, carved: float) -> None:
    validation = min(validation, (1 - train) / 2)
    split = SplitSettings(train=train, validation=validation, test=1 - train - validation, carved_validation=carved)
    shares = Shares.from_settings(split)
    assert shares.train + shares.validation + shares.test == pytest.approx(1)
    assert shares.test == split.test, "carving does not change test"
    assert shares.train > 0
    assert shares.validation > 0


def test_the_names_of_the_splits() -> None:
    assert SPLITS == (TRAIN, VALIDATION, TEST) == ("train", "validation", "test")
    assert list(Shares.__dataclass_fields__) == list(SPLITS), "checks read a share by its split's name"


@pytest.mark.parametrize(("sensors", "expected"), [(98, (70, 8, 20)), (10, (7, 1, 2)), (4, (2, 1, 1)), (3, (1, 1, 1))])
def test_shares_of_sensors_are_rounded(sensors: int, expected: tuple[int, ...]) -> None:
    assert tuple(sensor_counts(SplitSettings(kind="sensor"), sensors).values()) == expected


@given(train=st.floats(0.05, 0.9), validation=st.floats(0, 0.5), sensors=st.integers(0, 500))
def test_every_split_has_sensors_and_the_counts_add_up(train: float, validation: float, sensors: int) -> None:
    validation = min(validation, (1 - train) / 2)
    split = SplitSettings(kind="sensor", train=train, validation=validation, test=1 - train - validation)
    try:
        counts = sensor_counts(split, sensors)
    except ValueError as error:
        assert get_code(error) == "splits.too-few-sensors"
        assert get_values(error)["sensors"] == sensors
        assert sensors * Shares.from_settings(split).train < 3, "refused only if train would have almost none"
        return
    assert list(counts) == list(SPLITS)
    assert sum(counts.values()) == sensors
    assert min(counts.values()) >= 1
    assert all(abs(counts[s] - getattr(Shares.from_settings(split), s) * sensors) <= 2 for s in SPLITS)
