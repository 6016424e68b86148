"""Values out of range, which every section refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.data import DataSettings, FillSettings
from traffic_assets.settings.evaluation import DiagnosticsSettings, EvaluationSettings
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.persistence import PersistenceSettings
from traffic_assets.settings.spark import SparkSettings
from traffic_assets.settings.training import PreprocessingSettings, SplitSettings, TrainingSettings


@pytest.mark.parametrize(
    ("section", "key", "good", "bad"),
    [
        (DataSettings, "interval_minutes", [1, 60], [0, 61, 2.5]),
        (DataSettings, "max_bad_share", [0, 1], [-0.01, 1.01]),
        (DataSettings, "minimum_completeness", [0, 0.5, 1], [-0.01, 1.01, float("nan")]),
        (DataSettings, "blocking_checks", [[], ["complete", "has_rows"]], [["sensors_report"], "complete"]),
        (DataSettings, "free_flow_speed", [0.1, 65, "per_sensor"], [0, -1, "per sensor"]),
        (DataSettings, "center", [(32.8, -117.1), None], [(32.8,), (1, 2, 3), "here"]),
        (DataSettings, "kind", ["readings", "features"], ["raw"]),
        (DataSettings, "format", ["auto", "parquet", "csv", "json"], ["avro"]),
        (DataSettings, "timestamps", ["utc", "local"], ["UTC"]),
        (DataSettings, "speed_unit", ["mph", "km/h"], ["kmh"]),
        (DataSettings, "timestamp_formats", [[], ["dd.MM.yyyy HH:mm"]], [[""], "x"]),
        (DataSettings, "aliases", [{}, {"v": "speed"}], [{"": "speed"}, {"v": ""}]),
        (
            DataSettings,
            "rush_hours",
            [[], [(0, 24)], [(6.5, 9)]],
            [[(7,)], [(-1, 5)], [(20, 25)], [(9, 9)], [(19, 16)]],
        ),
        (TrainingSettings, "window_weeks", [1, 53], [0, 54]),
        (TrainingSettings, "folds", [2, 50], [1, 51]),
        (TrainingSettings, "seed", [0, 2**31 - 1], [-1, 2**31]),
        (TrainingSettings, "temporal_train_share", [0.01, 0.99], [0, 1]),
        (TrainingSettings, "cache_partitions", [None, 1], [0]),
        (TrainingSettings, "exclude_features", [[], ["flow_rate"]], [[""]]),
        (SplitSettings, "carved_validation", [0.01, 0.99], [0, 1]),
        (SplitSettings, "kind", ["random", "temporal", "sensor"], ["hashed"]),
        (PreprocessingSettings, "missing", ["median", "mean", "drop"], ["forward_fill"]),
        (PreprocessingSettings, "outlier_action", ["clip", "drop"], ["winsorize"]),
        (PreprocessingSettings, "selection", ["none", "variance", "univariate", "importance"], ["rfe"]),
        (PreprocessingSettings, "variance_threshold", [0, 0.1], [-0.1]),
        (PreprocessingSettings, "top_k", [1, 500], [0, 1.5]),
        (
            PreprocessingSettings,
            "create",
            [[], ["a*b", "a/b", "b/a", "a^2", "a^3"]],
            [["a"], ["a+b"], ["a*b*c"], ["a^4"], ["a*a"], ["a/a"], ["a/2 "], ["a*b", "b*a"], "a*b"],
        ),
        (FillSettings, "longest_gap_minutes", [1, 360], [0, 361]),
        (EvaluationSettings, "plot_points", [100, 20_000], [99, 20_001]),
        (EvaluationSettings, "max_training_minutes", [0.1], [0]),
        (EvaluationSettings, "top_feature", [None, "speed_lag_1"], [""]),
        (GateThresholds, "rmse_max", [None, 0.1], [0, -1]),
        (GateThresholds, "cv_r2_std_max", [None, 0.1], [0]),
        (GateThresholds, "r2_min", [None, -1, 0.9], ["high"]),
        (
            DiagnosticsSettings,
            "learning_curve",
            [None, [0.1, 1], [0.1, 0.5, 0.9]],
            [[], [1], [1, 0.5], [0.5, 0.5], [0, 1]],
        ),
        (PersistenceSettings, "keep_generations_hours", [None, 24, 24.5], [0, 23.9]),
        (
            PersistenceSettings,
            "browse_url",
            [None, "http://h:9870/webhdfs/v1/t/{path}?op=OPEN"],
            ["file:///{path}", "http://h/"],
        ),
        (SparkSettings, "app_name", ["x"], [""]),
        (SparkSettings, "driver_memory", ["512m", "4G", "1048576k"], ["4", "4gb", "g", ""]),
        (
            SparkSettings,
            "master",
            [None, "local", "local[*]", "local[2]", "spark://h:7077", "yarn", "k8s://https://h:443"],
            ["localhost", "local[]", "spark://", "mesos://h", "yarn-client"],
        ),
    ],
)
def test_ranges(section: Any, key: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        section(**{key: value})
    for value in bad:
        with pytest.raises(ValidationError) as caught:
            section(**{key: value})
        assert {error["loc"][0] if error["loc"] else "rush_hours" for error in caught.value.errors()} == {key}
