"""Keys of a scikit-learn-style configuration that are not supported: each is refused with its code."""

from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings.evaluation import DiagnosticsSettings
from traffic_assets.settings.models.random_forest import RandomForestSettings
from traffic_assets.settings.pydantic_errors import HIDDEN
from traffic_assets.settings.schema import ModelsSettings
from traffic_assets.settings.spark import SparkSettings
from traffic_assets.settings.training import SplitSettings
from traffic_assets_tests.settings.problems import problems, write
from traffic_assets_tests.settings.sklearn_config.files import content, refusal, with_changes

FOLD_KEYS = ["enabled", "folds", "shuffle", "random_state"]


@pytest.mark.parametrize(
    ("section", "changes", "path", "code", "values"),
    [
        (
            "data",
            {"target_columns": ["occupancy"]},
            "data.target_columns.0",
            "settings.invalid-choice",
            {"given": "occupancy", "allowed": "'speed' or 'flow'"},
        ),
        (
            "data",
            {"feature_columns": None},
            "data.feature_columns",
            "sklearn-config.invalid-feature-columns",
            {"given": None},
        ),
        (
            "data",
            {"feature_columns": ["auto_detect", "hour_sin"]},
            "data.feature_columns",
            "sklearn-config.invalid-feature-columns",
            {"given": ["auto_detect", "hour_sin"]},
        ),
        ("data", {"time_column": 3}, "data.time_column", "sklearn-config.invalid-time-column", {"given": 3}),
        ("data", {"train_ratio": 0.8}, "training.split", "settings.shares-not-one", {"total": pytest.approx(1.1)}),
        (
            "data",
            {"train_ratio": 1.5},
            "data.train_ratio",
            "settings.out-of-range",
            {"given": 1.5, "limit": "a number below 1"},
        ),
        (
            "training",
            {"cross_validation": {"enabled": False}},
            "training.cross_validation.enabled",
            "sklearn-config.disabled-cross-validation",
            {"given": False},
        ),
        (
            "training",
            {"cross_validation": {"shuffle": False}},
            "training.cross_validation.shuffle",
            "sklearn-config.unshuffled-folds",
            {"given": False},
        ),
        (
            "training",
            {"cross_validation": {"fold": 5}},
            "training.cross_validation.fold",
            "sklearn-config.unknown-key",
            {"key": "fold", "given": 5, "allowed": FOLD_KEYS},
        ),
        (
            "training",
            {"cross_validation": 5},
            "training.cross_validation",
            "sklearn-config.not-an-object",
            {"given": 5, "allowed": FOLD_KEYS},
        ),
        (
            "training",
            {"cross_validation": {"folds": 1}},
            "training.cross_validation.folds",
            "settings.out-of-range",
            {"given": 1, "limit": "a number of at least 2"},
        ),
        (
            "training",
            {"cross_validation": {"random_state": 7}},
            "models.random_forest.hyperparameters.random_state",
            "sklearn-config.conflict",
            {"given": 42, "other": "training.cross_validation.random_state", "value": 7, "setting": "training.seed"},
        ),
        (
            "training",
            {"primary_metric": "accuracy"},
            "training.primary_metric",
            "settings.invalid-choice",
            {"given": "accuracy", "allowed": "'rmse', 'mae', 'mape' or 'r2'"},
        ),
        (
            "evaluation",
            {"metrics": ["rmse", "auc"]},
            "evaluation.metrics",
            "sklearn-config.unknown-metrics",
            {"given": ["auc"], "known": ("rmse", "mae", "mape", "r2", "bias", "p95")},
        ),
        (
            "evaluation",
            {"generate_plots": False},
            "evaluation.generate_plots",
            "sklearn-config.plots-off",
            {"given": False},
        ),
        (
            "evaluation",
            {"model_comparison": False},
            "evaluation.model_comparison",
            "sklearn-config.comparison-off",
            {"given": False},
        ),
        (
            "evaluation",
            {"residual_analysis": "yes please"},
            "evaluation.residual_analysis",
            "settings.invalid-type",
            {"given": "yes please", "type": "a valid boolean, unable to interpret input"},
        ),
        (
            "persistence",
            {"save_models": False},
            "persistence.save_models",
            "sklearn-config.saving-off",
            {"given": False},
        ),
        (
            "persistence",
            {"versioning_strategy": "timestamp"},
            "persistence.versioning_strategy",
            "sklearn-config.unknown-versioning",
            {"given": "timestamp"},
        ),
        (
            "persistence",
            {"export_formats": ["h5"]},
            "persistence.export_formats",
            "sklearn-config.unknown-export-formats",
            {"given": ["h5"]},
        ),
        (
            "persistence",
            {"export_formats": [["spark"]]},
            "persistence.export_formats",
            "sklearn-config.unknown-export-formats",
            {"given": [["spark"]]},
        ),
        *(
            (
                "persistence",
                {"model_registry_path": folder},
                "persistence.model_registry_path",
                "settings.invalid-registry-folder",
                {"folder": folder},
            )
            for folder in ("../elsewhere", "hdfs://namenode/models", "/models/ours")
        ),
        (
            "persistence",
            {"model_registry_path": "training"},
            "persistence.model_registry_path",
            "settings.reserved-registry-folder",
            {"folder": "training", "reserved": ("raw", "processed", "training")},
        ),
        (
            "models",
            {"linear_regression": {"hyperparameters": {"normalize": "l2"}}},
            "models.linear_regression.hyperparameters.normalize",
            "sklearn-config.invalid-normalize",
            {"given": "l2"},
        ),
        *(
            (
                "evaluation",
                {"prediction_intervals": wrong},
                "evaluation.prediction_intervals",
                "sklearn-config.invalid-prediction-intervals",
                {"given": wrong},
            )
            for wrong in ("true", 1, 0, None)
        ),
        (
            "training",
            {"split": "random"},
            "training.split",
            "settings.not-a-section",
            {"given": "random", "allowed": list(SplitSettings.model_fields)},
        ),
        (
            "evaluation",
            {"diagnostics": "all"},
            "evaluation.diagnostics",
            "settings.not-a-section",
            {"given": "all", "allowed": list(DiagnosticsSettings.model_fields)},
        ),
        (
            "models",
            {"random_forest": "on"},
            "models.random_forest",
            "settings.not-a-section",
            {"given": "on", "allowed": list(RandomForestSettings.model_fields)},
        ),
        (
            "spark",
            {"executors": 3},
            "spark.executors",
            "settings.unknown-key",
            {"key": "executors", "allowed": list(SparkSettings.model_fields)},
        ),
        (
            "models",
            {"lstm": {"enabled": True}},
            "models.lstm",
            "settings.unknown-key",
            {"key": "lstm", "allowed": list(ModelsSettings.model_fields)},
        ),
    ],
)
def test_an_unsupported_key_is_refused_with_a_code(
    tmp_path: Path, section: str, changes: dict[str, Any], path: str, code: str, values: dict[str, Any]
) -> None:
    text = refusal(tmp_path, with_changes(section, **changes))
    assert (text.code, text.values) == (code, {"path": path, **values})


@pytest.mark.parametrize("section", ["data", "models", "training", "evaluation", "persistence", "spark"])
def test_a_section_that_is_not_an_object_is_refused(tmp_path: Path, section: str) -> None:
    shown = HIDDEN if section == "spark" else "x"  # it may be a secret
    texts = problems(write(tmp_path / "config.json", content() | {section: "x"}))
    assert ("settings.not-a-section", section, shown) in [
        (text.code, text.values["path"], text.values.get("given")) for text in texts
    ]
