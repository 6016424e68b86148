"""The specification of a sample: what it allows."""

from datetime import date

import pytest
from pydantic import ValidationError

from traffic_assets.simulation.spec import SampleSpec


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sensors": 0}, "sensors is 0; allowed is 1 to 50000"),
        ({"days": 0}, "days is 0; allowed is 1 to 3660"),
        ({"seed": -1}, "seed is -1; allowed is 0 to"),
        ({"interval_minutes": 7}, "interval_minutes is 7; allowed is 1, 3, 5 or 15"),
        ({"time_zone": "Mars/Base"}, "time_zone is Mars/Base; allowed is an IANA name"),
        ({"bad_share": 0.9}, "bad_share is 0.9; allowed is 0 to 0.5"),
        ({"first_day": date(1900, 1, 1)}, "first_day is 1900-01-01; allowed is 1975-01-01 to"),
    ],
)
def test_impossible_specs_are_refused_with_what_is_allowed(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SampleSpec.model_validate(wrong)
