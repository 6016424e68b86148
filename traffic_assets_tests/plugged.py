"""Facts about an installed plugin without Spark, from a process that imports the plugin first.

`python -m traffic_assets_tests.plugged GOOD BAD` prints a JSON object, which `test_plugins.py` reads. GOOD and BAD are
settings files.
"""

import acme_traffic  # type: ignore[import-not-found]  # isort: skip

import json
import sys
from typing import Any

from typer.testing import CliRunner


def _invoke(*arguments: str, **environ: str) -> dict[str, Any]:
    from traffic_assets.cli.app import app

    done = CliRunner().invoke(app, arguments, env=environ)
    return {"exit_code": done.exit_code, "stdout": done.stdout, "stderr": done.stderr}


def main(good: str, bad: str) -> dict[str, Any]:
    """Return everything about the plugin that needs no Spark."""
    from traffic_assets import definitions
    from traffic_assets.ml.algorithm import algorithm_named
    from traffic_assets.settings import load_settings

    keys = {key.to_user_string() for key in definitions.defs.resolve_asset_graph().get_all_asset_keys()}
    depth = {"TRAFFIC_MODELS__DECISION_TREE__HYPERPARAMETERS__MAXDEPTH": "7"}
    return {
        "has_the_lane": "decision_tree_registry_entry" in keys,
        "pyspark_after_the_location": "pyspark" in sys.modules,
        "enabled": "decision_tree" in load_settings("local").enabled_models,
        "same": algorithm_named("decision_tree") is acme_traffic.DECISION_TREE,
        "plugins": _invoke("plugins", ACME_STORE="/nowhere"),
        "good": _invoke("settings", good, **depth),
        "bad": _invoke("settings", bad),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
