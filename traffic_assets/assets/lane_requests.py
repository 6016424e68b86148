"""Requests of a lane: its section of a request, and what documents of earlier versions imply."""

from collections.abc import Mapping
from typing import Any

from traffic_assets.assets.lanes import Lane
from traffic_assets.assets.requests import FIT, SEARCH, Request, training_values
from traffic_assets.settings import Settings
from traffic_assets.settings.models.base import Hyperparameters


def request_lane(settings: Settings, lane: Lane, hyperparameters: Hyperparameters, tuned: bool) -> Request:
    """Return the section of a lane: its fit and, if it is tuned, its search.

    Args:
        settings: Settings of the deployment.
        lane: Lane of the model.
        hyperparameters: Hyperparameters of the run: those of the settings, or of the run's configuration.
        tuned: True if the run searches for better ones.
    """
    path, values = f"models.{lane.model_name}", hyperparameters.model_dump(mode="json")
    section = {f"{path}.hyperparameters.{name}": value for name, value in values.items()}
    section |= {f"{path}.tune": tuned, **training_values(settings, FIT)}
    if tuned:
        section |= training_values(settings, SEARCH)
        section[f"{path}.grid"] = settings.enabled_models[lane.model_name].model_dump(mode="json")["grid"]
        section["evaluation.primary_metric"] = settings.evaluation.primary_metric
    return {lane.id: section}


def infer_requests(lane: Lane, diagnosed: Mapping[str, Any], temporal: Mapping[str, Any]) -> dict[str, Request]:
    """Return what the documents of an evaluation imply about requests, by asset key; for records without requests.

    Without a search, the hyperparameters of the temporal holdout are the requested ones, and the model must have the
    same ones.

    Args:
        lane: Lane of the model.
        diagnosed: Document of the diagnostics.
        temporal: Document of the temporal holdout.
    """
    if temporal.get("search") is not None:
        return {}
    path = f"models.{lane.model_name}"

    def request(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{path}.hyperparameters.{name}": value for name, value in hyperparameters.items()}

    return {
        lane.diagnostics: {lane.id: request(diagnosed["cross_validation"]["hyperparameters"])},
        lane.temporal_verdict: {lane.id: {f"{path}.tune": False, **request(temporal["hyperparameters"])}},
    }
