"""Capabilities of some algorithms: optional parts of `Algorithm`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from pyspark.ml import Estimator

Fill = Literal["median", "mean"]
Task = Callable[[Iterator[Any]], Iterator[Any]]
"""The function that a Spark task applies to the rows of one partition, as Arrow batches."""


@dataclass(frozen=True)
class SharedFit:
    """One fit of trees that yields the models of several trials of a search.

    Attributes:
        trees: Name of the hyperparameter for the number of trees.
        depth: Name of the hyperparameter for the depth, if a tree can be cut; None for boosting, because the trees
            after a cut one would differ.
        min_rows: Name of the hyperparameter for the minimum number of rows in a child, if splits can be undone.
        average: True if the trees are averaged (a forest), False if they are a weighted sum.
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
    """A fit that ends when the error on validation rows no longer decreases.

    Attributes:
        applies: Function that returns True if a fit with these hyperparameters stops early.
        with_validation_indicator: Function that returns the estimator with the column that marks the validation rows.
        needs_rows: True if the estimator with that column fails without validation rows.
    """

    applies: Callable[[Any], bool]
    with_validation_indicator: Callable[[Any, str], "Estimator"]
    needs_rows: bool = False


@dataclass(frozen=True)
class OwnThreads:
    """A fit with threads of its own, which uses all cores of a local session.

    A fold task imputes, fits and evaluates a fold (`ml/fitting/fold_tasks.py`). Without one, Spark prepares and
    evaluates the fold. Only scale-invariant algorithms use fold tasks. Their estimator must then accept arrays of
    32-bit floats as well as vectors.

    Attributes:
        applies: Function that returns True if a fit with these hyperparameters uses its own threads.
        fold_task: Function that returns the task of a fold for hyperparameters, seed, threads and the statistic that
            replaces missing numbers; None if there is none.
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
