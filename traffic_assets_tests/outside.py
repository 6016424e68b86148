"""A tiny week on a plugin's storage, in a separate process in which the plugin is installed, and its results.

`python -m traffic_assets_tests.outside PROFILE` prints a JSON object as its last line, which `test_plugins.py` reads.
"""

import json
import sys
from typing import Any

import dagster as dg

from traffic_assets.assets.presentation import dump_document
from traffic_assets.assets.registry import get_registry
from traffic_assets.build import build_defs
from traffic_assets.cli.leaderboard import show_leaderboard
from traffic_assets.dagster_hdfs.io_managers.documents import DOCUMENT
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.ml.metrics.metrics import evaluate
from traffic_assets.resources import build_resources
from traffic_assets.settings import load_settings
from traffic_assets_tests.runs import failures, get_metadata, run_features, run_train
from traffic_assets_tests.tiny import DAYS, WEEK


def main(profile: str) -> dict[str, Any]:
    """Build features, train and register the profile's lanes, load the model back, and return the results."""
    settings = load_settings(profile)
    defs = build_defs(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        features = run_features(defs, instance, DAYS)
        train = run_train(defs, instance, WEEK)
    facts: dict[str, Any] = {"failures": {**failures(features), **failures(train)}}
    if facts["failures"]:
        return facts
    resources = build_resources(settings)
    hdfs = resources["hdfs"]

    def stored(key: str) -> Any:
        return json.loads(hdfs.filesystem.read_bytes(f"{hdfs.dataset(key).current(WEEK).uri}/{DOCUMENT}"))

    show_leaderboard(settings, WEEK, train.run_id)
    loaded = get_registry(hdfs).load("decision_tree")
    rows = read_current(resources["spark"].session, hdfs.dataset("feature_table").root, DAYS[0], DAYS[-1])
    metadata = get_metadata(train, "decision_tree_evaluation")
    return facts | {
        "evaluation_metadata": {name: value for name, value in metadata.items() if isinstance(value, int | float)},
        "cv_report_metadata": list(get_metadata(train, "decision_tree_cv_report")),
        "leaderboard_columns": list(get_metadata(train, "model_comparison")["leaderboard"].records[0].data),
        "search": stored("decision_tree_cv_report")["search"],
        "leaderboard": stored("model_comparison")["leaderboard"],
        "registered": json.loads(loaded.metadata.model_dump_json()),
        "model": type(loaded.model).__name__,
        "loaded_back": dump_document(evaluate(loaded.pipeline.transform(rows))),
        "filesystem": type(hdfs.filesystem).__name__,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
