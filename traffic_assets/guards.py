"""Guards: resources that refuse a run before its first step if its partition or config is not valid.

Otherwise Dagster would start the run, and a later step would fail without a clear reason. An asset requires its guard
with a parameter. The rules are in `partitions.py` and `assets/launchpad.py`. A refused run is never retried.

A run that trains a model also takes the lease of its week here. Every run keeps its heartbeat from here on: guards
require the resource `heartbeat`, and `require_heartbeat` adds it to all assets and checks of the code location.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg

from traffic_assets.assets.features import FEATURE_TABLE
from traffic_assets.assets.group import DAY_GUARD, HEARTBEAT, WEEK_GUARD
from traffic_assets.assets.keys import get_step_name
from traffic_assets.assets.lanes import list_lanes
from traffic_assets.assets.launchpad import require_valid_config
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.message import CodedText, error_text, find_coded_text
from traffic_assets.dagster_hdfs.resources import HdfsResource
from traffic_assets.dagster_hdfs.retries import RETRIES, SECONDS_BETWEEN
from traffic_assets.differences import list_differences
from traffic_assets.history import describe_other_base
from traffic_assets.liveness import lease as leases
from traffic_assets.liveness.dead_runs import CODE_TAG, Observations, end_dead_runs
from traffic_assets.liveness.heartbeat import Heartbeat, RunLostError, keep_heartbeat
from traffic_assets.liveness.lease import Lease, LeaseError, LeaseHeldError
from traffic_assets.lost_trainings import MAX_RETRIES_TAG as MAX_RETRIES
from traffic_assets.messages import runs as messages
from traffic_assets.naming import add_key_prefix
from traffic_assets.partitions import PARTITION, build_daily_partitions, build_weekly_partitions, require_partition
from traffic_assets.settings import Settings

WAIT_TAG = "traffic_assets/wait"
"""Tag of a run that waits for the lease of its week, instead of being refused."""
SECONDS_BETWEEN_ATTEMPTS = 5.0

Definition = TypeVar("Definition")
"""An asset, its description, or checks."""

_LOG = logging.getLogger(__name__)

__all__ = ["CODE_TAG", "MAX_RETRIES", "WAIT_TAG", "build", "list_keys_with_heartbeat", "require_heartbeat"]


def require_heartbeat(definition: Definition) -> Definition:
    """Return an asset or checks whose runs keep a heartbeat, if they are computed by one op.

    Only the op changes: the function and what it needs stay as they are. An asset that is a graph of several ops is
    returned as it is.
    """
    if not isinstance(definition, dg.AssetsDefinition) or not definition.is_executable:
        return definition
    op = definition.node_def
    if not isinstance(op, dg.OpDefinition) or HEARTBEAT in op.required_resource_keys:
        return definition
    alive = dg.OpDefinition(
        compute_fn=op.compute_fn,
        name=op.name,
        ins={name: dg.In.from_definition(loaded) for name, loaded in op.input_dict.items()},
        outs={name: dg.Out.from_definition(made) for name, made in op.output_dict.items()},  # with the code version
        description=op.description,
        config_schema=op.config_schema,
        required_resource_keys=op.required_resource_keys | {HEARTBEAT},
        tags=op.tags,
        retry_policy=op.retry_policy,
        pool=op.pool,
    )
    attributes: dict[str, Any] = {**definition.get_attributes_dict(), "node_def": alive}
    return type(definition)(**attributes)


def list_keys_with_heartbeat(definitions: Iterable[Any]) -> frozenset[dg.AssetKey]:
    """Return the keys of the assets whose runs, and those of their checks, keep a heartbeat."""
    kept = [
        one for one in definitions if isinstance(one, dg.AssetsDefinition) and HEARTBEAT in one.required_resource_keys
    ]
    return frozenset(key for one in kept for key in (*one.keys, *(check.asset_key for check in one.check_keys)))


def build(
    settings: Settings, hdfs: HdfsResource | None = None, keys: Set[dg.AssetKey] = frozenset()
) -> dict[str, dg.ResourceDefinition]:
    """Return the guards by resource key.

    Args:
        settings: Settings of the deployment.
        hdfs: Storage of the deployment; without it no run compares Dagster's history with storage.
        keys: Keys of the assets whose runs keep a heartbeat.
    """

    @dg.resource(description="Keeps the heartbeat of a run, and ends dead runs when it starts.")
    def heartbeat(context: dg.InitResourceContext) -> Iterator[Any]:
        if (run := _starting_run(context)) is None or context.instance is None:
            yield None
            return
        with keep_heartbeat(context.instance, run, settings.runs.heartbeat_timeout) as kept:
            _watch_other_runs(context.instance, settings, kept, keys)
            yield kept

    @dg.resource(
        description="Refuses a run without a valid day before its first step.",
        required_resource_keys={HEARTBEAT, "hdfs"},
    )
    def day_guard(context: dg.InitResourceContext) -> Any:
        if run := _starting_run(context):
            with _without_retry(context, run):
                require_partition(run.tags, build_daily_partitions(settings), "day")
            _warn_of_differences(context, settings, hdfs)

    @dg.resource(
        description="Refuses a run without a valid week, or with hyperparameters out of range, before its first step. "
        "Admits one training of a week at a time.",
        required_resource_keys={HEARTBEAT, "hdfs"},
    )
    def week_guard(context: dg.InitResourceContext) -> Iterator[Any]:
        if (run := _starting_run(context)) is None:
            yield None
            return
        with _without_retry(context, run):
            require_partition(run.tags, build_weekly_partitions(settings), "week")
            require_valid_config(run.run_config, settings)
            lease = _take_lease(context, run, settings) if _trains_a_model(run, settings) else None
        _warn_of_differences(context, settings, hdfs)
        if lease is None:
            yield None
            return
        with _held(lease, context.resources.heartbeat):
            yield None

    return {HEARTBEAT: heartbeat, DAY_GUARD: day_guard, WEEK_GUARD: week_guard}


def _watch_other_runs(
    instance: dg.DagsterInstance, settings: Settings, heartbeat: Heartbeat, keys: Set[dg.AssetKey]
) -> None:
    """End dead runs now and at every beat."""
    if instance.is_ephemeral:  # it has no other runs
        return
    observations: Observations = {}

    def look() -> None:
        end_dead_runs(instance, settings.runs.heartbeat_timeout, observations, keys=keys)

    heartbeat.call(look)
    heartbeat.add(look)


def _trains_a_model(run: dg.DagsterRun, settings: Settings) -> bool:
    """Return True if a run trains a model of its week; a run of other assets only reads what is stored."""
    models = [lane.model for lane in list_lanes(settings)]
    if run.step_keys_to_execute:
        return not {get_step_name(model) for model in models}.isdisjoint(run.step_keys_to_execute)
    keys = {add_key_prefix(model, settings.deployment) for model in models}
    return not run.asset_selection or not run.asset_selection.isdisjoint(keys)


def _take_lease(context: dg.InitResourceContext, run: dg.DagsterRun, settings: Settings) -> Lease:
    """Take the lease of a run's week; wait for it if the run has the tag.

    Raises:
        dagster.Failure: If a live run holds it, it is damaged, or storage refuses it.
        StorageError: If storage does not answer.
    """
    hdfs: HdfsResource = context.resources.hdfs
    timeout = settings.runs.heartbeat_timeout
    task, waiting_for, failures = leases.train_task(run.tags[PARTITION]), None, 0
    while True:
        try:
            return leases.take(hdfs.filesystem, hdfs.base_uri, task, run.run_id, timeout)
        except LeaseHeldError as error:
            if WAIT_TAG not in run.tags:
                raise dg.Failure(error.refusal, allow_retries=False) from error
            if waiting_for != error.holder.run_id and context.log is not None:
                waiting_for = error.holder.run_id
                context.log.info(messages.WAITING_FOR_LEASE(task=task, **leases.describe(error.holder)).plain)
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        except LeaseError as error:
            raise dg.Failure(error.refusal, allow_retries=False) from error
        except StorageError as error:
            failures += 1
            if error.retryable and failures <= RETRIES:  # as a step would be retried
                time.sleep(SECONDS_BETWEEN)
            elif not error.retryable and (text := find_coded_text(error)):  # otherwise the run is not refused
                raise dg.Failure(text, allow_retries=False) from error
            else:
                raise


@contextmanager
def _held(lease: Lease, heartbeat: Heartbeat) -> Iterator[None]:
    """Hold a lease in the block: each heartbeat of the run renews it, and the end of the block releases it.

    A run whose lease another run took over may not succeed. If no heartbeat noticed it, the release does.
    """
    held, lock = lease, threading.Lock()

    def renew() -> None:
        nonlocal held
        with lock:
            if renew_is_due:
                try:
                    held = held.renew()
                except LeaseError as error:
                    raise RunLostError(error.refusal) from error

    renew_is_due = True
    heartbeat.add(renew)
    try:
        yield
    finally:
        with lock:  # otherwise a renewal under way would follow the release
            renew_is_due = False
        try:
            held.release()
        except LeaseError as error:
            heartbeat.lose(error.refusal)
        except Exception as error:  # the outcome of the run matters more; a lease of an ended process is free
            _LOG.warning(messages.LEASE_NOT_RELEASED(cause=error_text(error)))


@contextmanager
def _without_retry(context: dg.InitResourceContext, run: dg.DagsterRun) -> Iterator[None]:
    """Prevent the instance from retrying a refused run.

    Dagster treats a failure outside a step as a crash and ignores `allow_retries`. A tag of the run overrides
    dagster.yaml.
    """
    try:
        yield
    except dg.Failure as failure:
        if context.instance is not None:
            text = find_coded_text(failure)
            context.instance.add_run_tags(run.run_id, {MAX_RETRIES: "0", **({CODE_TAG: text.code} if text else {})})
        raise


def _warn_of_differences(context: dg.InitResourceContext, settings: Settings, hdfs: HdfsResource | None) -> None:
    """Log what Dagster and storage do not both know; the sensor does not list HDFS, and a run has Spark.

    If storage cannot be read, only the place of the features is compared. The first step then fails with the reason.
    """
    if context.instance is None or context.log is None or hdfs is None or context.run is None:
        return
    storage: HdfsResource = context.resources.hdfs
    try:
        texts = list_differences(context.instance, settings, storage, own_run=context.run.run_id)
    except Exception:
        features = add_key_prefix(FEATURE_TABLE, settings.deployment)
        other = describe_other_base(context.instance, settings, hdfs, features)
        texts = [other] if other else []
    for text in texts:
        _log_warning(context.log, text)


def _log_warning(log: dg.DagsterLogManager, text: CodedText) -> None:
    log.warning(text)


def _starting_run(context: dg.InitResourceContext) -> dg.DagsterRun | None:
    """Return the run that is about to start; None after its end, when the command line creates the resources again."""
    if context.run is None or context.instance is None:
        return None
    run = context.instance.get_run_by_id(context.run.run_id)
    return None if run is None or run.is_finished else run
