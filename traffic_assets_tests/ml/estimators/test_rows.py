"""Rows of estimators: the column that identifies them."""

from types import SimpleNamespace
from typing import Any

import pytest

from traffic_assets.ml.estimators.rows import require_rows
from traffic_assets_tests.codes import get_code, get_values


def _rows(*columns: str) -> Any:
    """Return a fake DataFrame, of which only the names of the columns are read."""
    return SimpleNamespace(columns=list(columns))


def test_the_column_that_identifies_a_row_is_required() -> None:
    require_rows(_rows("features", "row"), "row")
    with pytest.raises(ValueError) as caught:
        require_rows(_rows("features", "speed"), "row")
    assert get_code(caught.value) == "algorithms.no-row-column"
    assert get_values(caught.value) == {"column": "row", "columns": ["features", "speed"]}
