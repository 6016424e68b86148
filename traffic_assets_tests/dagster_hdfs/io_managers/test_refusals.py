"""The one attribute of Dagster's own that is written must be there."""

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs.io_managers import refusals
from traffic_assets.dagster_hdfs.io_managers.refusals import UnsupportedDagsterError, require_partitions_subset


def test_the_installed_dagster_has_the_attribute() -> None:
    require_partitions_subset()


def test_a_dagster_without_it_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "PARTITIONS_SUBSET", "_gone")
    with pytest.raises(UnsupportedDagsterError, match=rf"Dagster {dg.__version__} has no OutputContext\._gone"):
        require_partitions_subset()
