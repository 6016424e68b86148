"""Feature rows for benchmarks: the sample or San Diego, built by the project's own `features` job."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
from pyspark.sql import DataFrame, SparkSession

from traffic_assets.build import build_defs
from traffic_assets.catalogue.clock import day_range
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.resources import LOCATIONS, build_resources
from traffic_assets.settings import load_settings
from traffic_assets.settings.loading import merge
from traffic_assets.simulation.spec import SampleSpec
from traffic_assets.simulation.writer import write_sample
from traffic_assets_tests import real_data
from traffic_assets_tests.runs import run_features

FIRST_DAY, DAYS = date(2026, 1, 5), 14
DATASETS = ("sample", "san_diego")


@contextmanager
def feature_rows(
    dataset: str, sensors: int, on_features: Callable[[str, Callable[[], object]], None] | None = None
) -> Iterator[DataFrame]:
    """Yield the feature table of some sensors over two weeks, about 4,000 rows per sensor.

    Args:
        dataset: Name of the dataset, `sample` or `san_diego`.
        sensors: Number of sensors; for San Diego approximate, at most 98.
        on_features: Callback that runs and measures the `features` job, with a name for it; None runs it unmeasured.
    """
    with tempfile.TemporaryDirectory(prefix="features-") as base, dg.DagsterInstance.ephemeral() as instance:
        readings = Path(base, "raw", "readings")
        if dataset == "sample":
            write_sample(SampleSpec(sensors=sensors, days=DAYS, first_day=FIRST_DAY), readings)
            first = FIRST_DAY
            days, changes = day_range(first, date.fromordinal(first.toordinal() + DAYS - 1)), {}
        else:
            folder = real_data.folder()
            if folder is None:
                sys.exit("Set TRAFFIC_REAL_DATA to the folder of the real data.")
            real_data.write_san_diego(folder, readings, every=max(1, round(98 / sensors)))
            days, changes = real_data.SAN_DIEGO_DAYS, dict(real_data.SAN_DIEGO_SETTINGS)
        settings = load_settings("local", merge(changes, {"persistence": {"base_uri": base}}), environ={})

        def make() -> None:
            if not run_features(build_defs(settings), instance, days).success:
                sys.exit("The features job failed.")

        if on_features:
            build_resources(settings)["spark"].session  # noqa: B018  (starts it now, so that the start is not measured)
            on_features("features", make)
        else:
            make()
        spark = SparkSession.active()
        yield read_current(spark, f"{base}/{LOCATIONS['feature_table']}")
