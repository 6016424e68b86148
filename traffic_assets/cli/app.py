"""The commands of `traffic-assets`.

Commands are plain functions in the other files; this module registers them.
"""

import sys

import typer

from traffic_assets.cli.class_data import class_data
from traffic_assets.cli.demo import demo
from traffic_assets.cli.features import features
from traffic_assets.cli.models import list_models, show_model
from traffic_assets.cli.plugins import plugins
from traffic_assets.cli.report import report
from traffic_assets.cli.sample import sample
from traffic_assets.cli.settings import settings
from traffic_assets.cli.stopping import stopping_by_signals
from traffic_assets.cli.sync import sync
from traffic_assets.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
models_app = typer.Typer(no_args_is_help=True)

for command in (sample, demo, features, train, report, sync, settings, plugins, class_data):
    app.command()(command)
models_app.command("list")(list_models)
models_app.command("show")(show_model)
app.add_typer(models_app, name="models", help="List and show registered models.")


@app.callback()
def _app() -> None:
    """Train Spark MLlib traffic models on loop-detector readings; only models that pass their gate are registered."""


def main() -> None:
    """Run the console script."""
    with stopping_by_signals():
        sys.exit(app())
