"""Capabilities of some algorithms: optional parts of `Algorithm`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from pyspark.ml import Estimator

Fill = Literal["median", "mean"]
Task = Callable[[Iterator[Any]], Iterator[Any]]
"""The function that a Spark task applies to the rows of one partition, as batches of Arrow."""


@dataclass(frozen=True)
class SharedFit:
    """One fit of trees that yields the models of several trials of a search.

    Attributes:
        trees: Name of the hyperparameter for the number of trees.
        depth: Name of the hyperparameter for the depth, if a tree can be cut; None for boosting, because the trees
            after a cut one would differ.
        min_rows: Name of the hyperparameter for the fewest rows of a child, if splits can be undone.
        average: True if the trees are averaged (a forest), false if they are a weighted sum.
        levels: Name of the hyperparameter for the depth of trees that cannot be cut.
    """

    trees: str
    depth: str | None
    min_rows: str | None
    average: bool
    levels: str | None = None
    deepest: ClassVar[int] = 30


@dataclass(frozen=True)
class EarlyStopping:
    """A fit that ends when the error on validation rows no longer falls.

    Attributes:
        applies: Returns true if a fit with these hyperparameters stops early.
        with_validation_indicator: Returns the estimator with the column that marks the validation rows.
    """

    applies: Callable[[Any], bool]
    with_validation_indicator: Callable[[Any, str], "Estimator"]


@dataclass(frozen=True)
class OwnThreads:
    """A fit with threads of its own, which takes all cores of a local session.

    Attributes:
        applies: Returns true if a fit with these hyperparameters uses its own threads.
        fold_task: Returns the task that imputes, fits and evaluates a fold, from hyperparameters, seed, threads and
            the statistic that missing numbers are imputed with (`ml/fitting/fold_tasks.py`). Without one, Spark
            prepares and evaluates the fold. It is used for scale-invariant algorithms only, whose estimator must then
            accept arrays of 32-bit floats as well as vectors.
    """

    applies: Callable[[Any], bool]
    fold_task: Callable[[Any, int, int, Fill], Task] | None = None


@dataclass(frozen=True)
class Requirements:
    """A package that an algorithm needs in addition to those that the project always installs.

    Attributes:
        package: Name to import.
        extra: The extra of this project that installs it; None for a plugin's own requirement.
    """

    package: str
    extra: str | None = None
