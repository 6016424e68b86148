"""The names of the splits and the configured share of the rows, or of the sensors, in each.

`assign.py` assigns rows to splits.
"""

from dataclasses import dataclass

from traffic_assets.messages import splits as messages
from traffic_assets.settings.training import SplitSettings

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
SPLIT = "split"


@dataclass(frozen=True)
class Shares:
    """Expected share of the rows in each split, after carving."""

    train: float
    validation: float
    test: float

    @classmethod
    def from_settings(cls, split: SplitSettings) -> "Shares":
        """Return the shares after validation rows are carved out of train."""
        carved = split.carved_validation * split.train if split.validation == 0 else 0.0
        return cls(split.train - carved, split.validation + carved, split.test)


def sensor_counts(split: SplitSettings, sensors: int) -> dict[str, int]:
    """Return the number of sensors in each split, if whole sensors are split.

    Validation and test get their rounded share, at least one sensor each; train gets the others.

    Raises:
        ValueError: If no sensor is left for train.
    """
    shares = Shares.from_settings(split)
    validation, test = (max(1, round(share * sensors)) for share in (shares.validation, shares.test))
    counts = {TRAIN: sensors - validation - test, VALIDATION: validation, TEST: test}
    if counts[TRAIN] < 1:
        raise ValueError(messages.TOO_FEW_SENSORS(sensors=sensors, validation=validation, test=test))
    return counts
