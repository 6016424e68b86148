"""The attribute that this package sets, which the installed Dagster must have."""

import dagster as dg
import pytest

from traffic_assets.dagster_hdfs.io_managers import refusals
from traffic_assets.dagster_hdfs.io_managers.refusals import UnsupportedDagsterError, require_partitions_subset
from traffic_assets_tests.codes import get_code, get_values


def test_the_installed_dagster_has_the_attribute() -> None:
    require_partitions_subset()


def test_a_dagster_without_it_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "PARTITIONS_SUBSET", "_gone")
    with pytest.raises(UnsupportedDagsterError) as caught:
        require_partitions_subset()
    assert get_code(caught.value) == "storage.unsupported-dagster"
    assert str(caught.value).startswith("[storage.unsupported-dagster] "), "as Dagster shows it"
    assert get_values(caught.value) == {"version": dg.__version__, "attribute": "_gone"}


def test_looking_for_it_opens_no_dagster_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that none is opened. With one, loading the code location would take three times as long."""
    monkeypatch.setattr(dg.DagsterInstance, "ephemeral", lambda *_, **__: pytest.fail("an instance was opened"))
    require_partitions_subset()
