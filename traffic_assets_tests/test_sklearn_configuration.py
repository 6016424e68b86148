"""A week trained with a scikit-learn-style configuration on a ready-made feature table, up to registered models."""

import json
from pathlib import Path

import dagster as dg
from pyspark.sql import SparkSession

from traffic_assets.assets.registry import get_registry
from traffic_assets.build import build_defs
from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.resources import build_resources
from traffic_assets.settings import load_settings
from traffic_assets_tests.deployment import Deployment
from traffic_assets_tests.runs import failures, run_features, run_train
from traffic_assets_tests.tiny import ANYTHING_GOES, DAYS, LANES, WEEK

FILE = Path(__file__).parent / "settings" / "sklearn_config" / "users_ml_training_config.json"
SMALLER = {
    "models": {
        "linear_regression": {"hyperparameters": {"max_iter": 5}},
        "random_forest": {
            "hyperparameters": {"n_estimators": 2, "max_depth": 3},
            "hyperparameter_grid": {"n_estimators": [1, 2], "max_depth": [2, None]},
        },
    },
    "training": {"window_weeks": 1, "minimum_days": 3, "cross_validation": {"folds": 2}},
    "evaluation": {
        "thresholds": dict.fromkeys(LANES, ANYTHING_GOES),
        "plot_points": 100,
        "diagnostics": {"confidence_level": None},
    },
}
"""Changes that make a run with the file small; all other settings are those of the file."""


def test_the_users_file_trains_a_week_and_registers_its_models(
    spark: SparkSession, with_features: Deployment, tmp_path: Path
) -> None:
    table = read_current(spark, with_features.hdfs.dataset("feature_table").root).drop("date")
    source = tmp_path / "processed_features"
    table.withColumnsRenamed({"speed": "avg_speed", "flow": "traffic_volume"}).write.parquet(str(source))
    here = {"data": {"source": str(source), "first_day": DAYS[0]}, "persistence": {"hdfs_model_path": f"{tmp_path}/b"}}
    profile = tmp_path / "smaller.json"
    profile.write_text(json.dumps({"extends": str(FILE), **SMALLER, **here}))
    settings = load_settings(profile, environ={})
    defs, hdfs = build_defs(settings), build_resources(settings)["hdfs"]

    with dg.DagsterInstance.ephemeral() as instance:
        features = run_features(defs, instance, DAYS)
        assert features.success, failures(features)
        train = run_train(defs, instance, WEEK)
    assert train.success, failures(train)

    registry = get_registry(hdfs)
    for target, prefix in (("speed", ""), ("flow", "flow/")):
        for model in ("linear_regression", "random_forest"):
            metadata = registry.metadata(f"{prefix}{model}")
            assert metadata.version == "v1.0.0"
            assert metadata.target == target
            current = hdfs.dataset(f"{prefix}{model}_cv_report").current(WEEK)
            report = json.loads(hdfs.filesystem.read_bytes(f"{current.uri}/{DOCUMENT}"))
            assert report["tuned"]
            tried = [trial["hyperparameters"] for trial in report["search"]["trials"]]
            if model == "random_forest":
                points = {(trial["numTrees"], trial["maxDepth"]) for trial in tried}
                assert points == {(trees, depth) for trees in (1, 2) for depth in (2, 30)}
            else:
                assert [(trial["fitIntercept"], trial["regParam"]) for trial in tried] == [(True, 0), (False, 0)]
    assert hdfs.filesystem.exists(f"{settings.persistence.base_uri}/model_registry")
    assert not hdfs.filesystem.exists(f"{settings.persistence.base_uri}/models")
