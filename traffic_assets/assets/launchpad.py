"""The Launchpad's form of a lane: its hyperparameters with the profile's values, and whether to tune.

Only the cv reports take config. Dagster checks names and types when a run starts, but ranges only when the step
does; `require_valid_config` lets the first step of a run refuse them all, before any Spark work.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import ValidationError, create_model

from traffic_assets.assets.keys import of_target, step_of
from traffic_assets.ml.algorithm import Algorithm
from traffic_assets.settings import Settings
from traffic_assets.settings.models.base import ModelSettings

TUNE = "tune"
CV_REPORT = "cv_report"


def config_class(algorithm: Algorithm, model_settings: ModelSettings) -> type[dg.Config]:
    """The Launchpad's form: the algorithm's hyperparameters with the profile's values as defaults, and `tune`."""
    profile = model_settings.hyperparameters
    fields: dict[str, Any] = {
        name: (field.rebuild_annotation(), getattr(profile, name))
        for name, field in algorithm.hyperparameters.model_fields.items()
    }
    fields[TUNE] = (bool, model_settings.tune)
    return create_model(f"{algorithm.hyperparameters.__name__}Config", __base__=dg.Config, **fields)


def require_valid_config(run_config: Mapping[str, Any], settings: Settings) -> None:
    """Refuse hyperparameters out of range.

    Args:
        run_config: of the run.
        settings: of the deployment.

    Raises:
        dagster.Failure: with a line for every mistake: where, what was given and what is allowed.
    """
    mistakes = []
    lanes = [(name, target) for target in settings.training.targets for name in settings.enabled_models]
    for name, target in lanes:
        model_settings = settings.enabled_models[name]
        step = step_of(of_target(f"{name}_{CV_REPORT}", target))
        given = dict(run_config.get("ops", {}).get(step, {}).get("config", {}))
        given.pop(TUNE, None)
        try:
            model_settings.override_hyperparameters(given)
        except ValidationError as error:
            mistakes += [
                f"{step}: {'.'.join(map(str, e['loc']))}: given {e['input']!r}; {e['msg'][:1].lower()}{e['msg'][1:]}"
                for e in error.errors()
            ]
    if mistakes:
        raise dg.Failure("Unusable hyperparameters:\n" + "\n".join(f"  {m}" for m in mistakes), allow_retries=False)
