"""The sensor that ends dead runs, whoever started them."""

import json
from collections.abc import Set
from datetime import datetime, timedelta

import dagster as dg

from traffic_assets.liveness.dead_runs import Observation, end_dead_runs
from traffic_assets.messages import runs as messages
from traffic_assets.naming import add_name_prefix
from traffic_assets.settings import Settings

SENSOR = "end_dead_runs"
SECONDS_BETWEEN_TICKS = 30


def build(settings: Settings, keys: Set[dg.AssetKey] = frozenset()) -> dg.SensorDefinition:
    """Return the sensor; its cursor keeps what earlier ticks observed.

    Args:
        settings: Settings of the deployment.
        keys: Keys of the assets whose runs keep a heartbeat.
    """
    timeout = settings.runs.heartbeat_timeout

    @dg.sensor(
        name=add_name_prefix(SENSOR, settings.deployment),
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed whose process has ended, or whose heartbeat has stopped.",
    )
    def end_dead(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        observations = _read(context.cursor)
        reasons = end_dead_runs(context.instance, timeout, observations, keys=keys)
        context.update_cursor(
            json.dumps(
                {
                    run: [last.heartbeat, last.seen.isoformat(), last.silent.total_seconds()]
                    for run, last in observations.items()
                }
            )
        )
        return dg.SkipReason(str(messages.DEAD_RUNS_ENDED(reasons=reasons) if reasons else messages.NO_DEAD_RUN()))

    return end_dead


def _read(cursor: str | None) -> dict[str, Observation]:
    try:
        return {
            run: Observation(heartbeat, datetime.fromisoformat(seen), timedelta(seconds=silent))
            for run, (heartbeat, seen, silent) in json.loads(cursor or "{}").items()
        }
    except (ValueError, TypeError, AttributeError):  # of an earlier version, or changed by a person
        return {}
