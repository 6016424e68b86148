"""The names of the splits and the share of the rows, or of the sensors, that each is to have.

Which row goes where is in `splits.py`.
"""

from dataclasses import dataclass

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
        """The shares that the settings amount to."""
        carved = split.carved_validation * split.train if split.validation == 0 else 0.0
        return cls(split.train - carved, split.validation + carved, split.test)


def sensor_counts(split: SplitSettings, sensors: int) -> dict[str, int]:
    """How many sensors each split has where whole sensors are split: its share of them, rounded, and at least one.

    Raises:
        ValueError: where a split would have none.
    """
    shares = Shares.from_settings(split)
    validation, test = (max(1, round(share * sensors)) for share in (shares.validation, shares.test))
    counts = {TRAIN: sensors - validation - test, VALIDATION: validation, TEST: test}
    if counts[TRAIN] < 1:
        raise ValueError(
            f"training.split.kind is sensor, and the window has {sensors} sensor(s): validation takes {validation}, "
            f"test {test}, and none is left for train. Use more sensors, a larger train share, or a random or temporal "
            f"split"
        )
    return counts
