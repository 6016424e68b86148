"""Targets of the catalogue, which are those of the settings."""

from typing import get_args

from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.settings.target import Target


def test_every_target_of_the_settings_is_in_the_catalogue() -> None:
    assert get_args(Target) == tuple(TARGETS)
    assert {target.role for target in TARGETS.values()} == {"target"}
    assert all(target.unit for target in TARGETS.values())


def test_targets_are_not_leaky_features_of_themselves() -> None:
    assert {target.available_at for target in TARGETS.values()} == {"with the target"}
    assert not any(target.is_leaky(name) for name, target in TARGETS.items())
