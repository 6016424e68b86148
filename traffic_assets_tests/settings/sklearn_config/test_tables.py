"""The tables: their rules lead to existing settings, and they contain each name for suggestions."""

from typing import Any

import pytest

from traffic_assets.settings.keys import keys_at
from traffic_assets.settings.layer import Path
from traffic_assets.settings.models import BUILT_IN, built_in_settings
from traffic_assets.settings.sklearn_config.tables import (
    MODEL_NAMES,
    Rule,
    hyperparameter_rules,
    names_at,
    section_rules,
)


@pytest.mark.parametrize("rule", section_rules(()).values(), ids=lambda rule: ".".join(rule.key))
def test_a_rule_leads_to_settings_that_exist(rule: Rule) -> None:
    for path in rule.current:
        assert path[-1] in keys_at(path[:-1])
    assert rule.key[-1] not in keys_at(rule.key[:-1]), "a current key has its own meaning"


@pytest.mark.parametrize("model", BUILT_IN)
def test_a_hyperparameter_rule_leads_to_a_hyperparameter_or_a_setting(model: str) -> None:
    allowed = built_in_settings()[model].hyperparameters_class().model_fields
    for rule in hyperparameter_rules(model).values():
        if isinstance(rule.current, tuple):
            assert rule.current[-1] in keys_at(rule.current[:-1])
        elif rule.current is not None:
            assert rule.current in allowed


def test_models_have_another_name_for_a_built_in_one() -> None:
    assert set(MODEL_NAMES.values()) <= set(BUILT_IN)
    assert set(MODEL_NAMES).isdisjoint(BUILT_IN)


@pytest.mark.parametrize(
    ("path", "name", "current"),
    [
        (("data",), "val_ratio", "training.split.validation"),
        (("training",), "cross_validation", "cross_validation"),
        (("training", "cross_validation"), "shuffle", "training.fold_kind"),
        (("evaluation",), "metrics", "metrics"),
        (("persistence",), "hdfs_model_path", "base_uri"),
        (("models",), "gbt", "gradient_boosted_trees"),
        (("models", "gbt"), "hyperparameter_grid", "grid"),
        (("models", "gbt", "hyperparameters"), "n_estimators", "maxIter"),
        (("models", "random_forest", "grid"), "n_estimators", "numTrees"),
        (("models", "random_forest", "hyperparameters"), "random_state", "training.seed"),
        (("models", "ensemble", "hyperparameters", "members", "gbt"), "loss", "lossType"),
    ],
)
def test_each_key_has_a_current_name(path: Path, name: str, current: Any) -> None:
    assert names_at(path)[name] == current


@pytest.mark.parametrize("path", [(), ("spark",), ("nowhere",)])
def test_other_sections_have_no_other_names(path: Path) -> None:
    assert names_at(path) == {}
