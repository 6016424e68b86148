"""The Spark application behind a run."""

import dagster as dg
from pyspark.sql import SparkSession

from traffic_assets.dagster_hdfs.applications import APPLICATION_ID, HISTORY, TAG, record_application


def _run(instance: dg.DagsterInstance) -> str:
    run = dg.DagsterRun(job_name="train")
    instance.add_run(run)
    return run.run_id


def test_a_run_gets_the_id_of_its_application_and_a_link(spark: SparkSession) -> None:
    application = spark.sparkContext.applicationId
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = _run(instance)
        metadata = record_application(instance, run_id, "http://history:18080/history/{application_id}/jobs")
        run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[TAG] == application
    assert metadata[APPLICATION_ID] == application
    assert metadata[HISTORY].value == f"http://history:18080/history/{application}/jobs"


def test_there_is_no_link_without_a_history_server(spark: SparkSession) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert record_application(instance, _run(instance), None) == {APPLICATION_ID: spark.sparkContext.applicationId}
