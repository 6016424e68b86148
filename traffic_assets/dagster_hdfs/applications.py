"""The Spark application behind a run: its id as a tag of the run and as metadata, with a link to the history server."""

import sys
from typing import Any

import dagster as dg

TAG = "spark/application_id"
"""Tag of a run: id of its Spark application; the newest one if a restart changed it."""
APPLICATION_ID, HISTORY = "spark_application_id", "spark_history"
"""Metadata of a materialization: id of the Spark application, and its page in the history server."""
PLACEHOLDER = "{application_id}"


def active_session() -> Any:
    """Return the Spark session that this process uses; None without one. Does not import pyspark."""
    if "pyspark.sql" not in sys.modules:
        return None
    active = sys.modules["pyspark.sql"].SparkSession.getActiveSession()
    return active if active is not None and active.sparkContext._jsc is not None else None


def record_application(instance: dg.DagsterInstance, run_id: str, history_url: str | None) -> dict[str, Any]:
    """Tag a run with its Spark application, and return the metadata about it; empty without a session.

    Args:
        instance: Dagster instance that records the run.
        run_id: Id of the run.
        history_url: Address of an application in the history server, with `{application_id}`; None for no link.
    """
    session = active_session()
    if session is None:
        return {}
    application = str(session.sparkContext.applicationId)
    run = instance.get_run_by_id(run_id)
    if run is not None and run.tags.get(TAG) != application:
        instance.add_run_tags(run_id, {TAG: application})
    if history_url is None:
        return {APPLICATION_ID: application}
    return {
        APPLICATION_ID: application,
        HISTORY: dg.MetadataValue.url(history_url.replace(PLACEHOLDER, application)),
    }
