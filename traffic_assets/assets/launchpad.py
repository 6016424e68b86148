"""The Launchpad form of a lane: hyperparameters with the profile's values as defaults, and whether to tune.

Only the cross-validation reports take config. Dagster checks names and types when a run starts, but ranges only when
the step starts. `require_valid_config` lets the guard of a run check every range before any Spark work.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import ValidationError, create_model

from traffic_assets.assets.keys import add_target_prefix, get_step_name
from traffic_assets.messages import runs as messages
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.settings import Settings
from traffic_assets.settings.layer import at_path
from traffic_assets.settings.models.base import ModelSettings
from traffic_assets.settings.pydantic_errors import coded_text

TUNE = "tune"
CV_REPORT = "cv_report"


def config_class(algorithm: Algorithm, model_settings: ModelSettings) -> type[dg.Config]:
    """Return the Launchpad form: the hyperparameters with the profile's values as defaults, and `tune`."""
    profile = model_settings.hyperparameters
    fields: dict[str, Any] = {
        name: (field.rebuild_annotation(), getattr(profile, name))
        for name, field in algorithm.hyperparameters.model_fields.items()
    }
    fields[TUNE] = (bool, model_settings.tune)
    return create_model(f"{algorithm.hyperparameters.__name__}Config", __base__=dg.Config, **fields)


def require_valid_config(run_config: Mapping[str, Any], settings: Settings) -> None:
    """Raise if hyperparameters are out of range.

    Args:
        run_config: Config of the run.
        settings: Settings of the deployment.

    Raises:
        dagster.Failure: If a value is out of range; the message lists each one with its path and the allowed values.
    """
    errors = []
    lanes = [(name, target) for target in settings.training.targets for name in settings.enabled_models]
    for name, target in lanes:
        model_settings = settings.enabled_models[name]
        step = get_step_name(add_target_prefix(f"{name}_{CV_REPORT}", target))
        config = dict(run_config.get("ops", {}).get(step, {}).get("config", {}))
        config.pop(TUNE, None)
        try:
            model_settings.override_hyperparameters(config)
        except ValidationError as error:
            errors += [at_path((step, *map(str, e["loc"])), coded_text(e)) for e in error.errors()]
    if errors:
        text = messages.BAD_HYPERPARAMETERS(count=len(errors), errors=errors)
        raise dg.Failure(text, allow_retries=False)
