"""The specification of a sample and its allowed values."""

from datetime import date

import pytest
from pydantic import ValidationError

from traffic_assets.simulation.spec import SampleSpec
from traffic_assets_tests.codes import get_code, get_values


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("sensors", 0, "1 to 50000"),
        ("days", 0, "1 to 3660"),
        ("seed", -1, "0 to 4294967295"),
        ("interval_minutes", 7, "1, 3, 5 or 15"),
        ("time_zone", "Mars/Base", "an IANA name such as America/Los_Angeles"),
        ("bad_share", 0.9, "0 to 0.5"),
        ("first_day", date(1900, 1, 1), "1975-01-01 to 2100-01-01"),
    ],
)
def test_values_out_of_range_are_refused_with_the_allowed_ones(name: str, value: object, allowed: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SampleSpec.model_validate({name: value})
    (problem,) = caught.value.errors()
    error = problem["ctx"]["error"]
    assert get_code(error) == "simulation.out-of-range"
    assert get_values(error) == {"name": name, "given": value, "allowed": allowed}
