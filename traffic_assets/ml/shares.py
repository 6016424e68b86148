"""The names of the splits and the share of the rows that each is to have. Which row goes where is in `splits.py`."""

from dataclasses import dataclass

from traffic_assets.settings.schema import SplitSettings

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
SPLIT = "split"


@dataclass(frozen=True)
class Shares:
    """Expected share of the rows in each split, after carving."""

    train: float
    validation: float
    test: float

    @classmethod
    def of(cls, split: SplitSettings) -> "Shares":
        """The shares that the settings amount to."""
        carved = split.carved_validation * split.train if split.validation == 0 else 0.0
        return cls(split.train - carved, split.validation + carved, split.test)
