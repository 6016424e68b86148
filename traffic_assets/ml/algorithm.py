"""The description of an algorithm, and the lookup of algorithms by name.

An `Algorithm` has a required core and optional capabilities (`capabilities.py`). `settings/models/__init__.py` lists
the built-in algorithms, which are loaded by entry points, as plugins are. The code location needs them when it loads,
so pyspark and numpy are imported only when a fit needs them.
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from traffic_assets.messages import algorithms as messages
from traffic_assets.ml.capabilities import EarlyStopping, Fill, OwnThreads, Requirements, SharedFit, Task
from traffic_assets.ml.old_attributes import accept_old_attributes
from traffic_assets.settings.models import BUILT_IN
from traffic_assets.settings.models.base import Hyperparameters, ModelSettings
from traffic_assets.settings.plugins import ALGORITHM_GROUP, Extension, select_usable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyspark.ml import Estimator, Model

__all__ = [
    "ROW",
    "Algorithm",
    "EarlyStopping",
    "Export",
    "Fill",
    "OwnThreads",
    "Requirements",
    "SharedFit",
    "Task",
    "algorithm_named",
    "algorithms",
    "built_in_algorithms",
]

ROW = "row"
"""Column with an integer that identifies a row, the same on every cluster; algorithms sample rows by it."""

Export = Literal["spark", "onnx", "pmml"]


def _no_members(_: Any) -> Sequence[str]:
    return ()


@accept_old_attributes
@dataclass(frozen=True)
class Algorithm(Extension):
    """One algorithm of this package or of a plugin (`docs/extending.md`).

    The vector of a scale-invariant algorithm skips the scaler, which saves a pass over the rows in each fold. MLlib's
    trees keep the scaler, because they differ slightly without it (docs/preprocessing.md). A search ranks
    hyperparameters with the surrogate before it tries them.

    Attributes:
        name: Name of its lane, in asset keys, paths and on the command line.
        title: Display name.
        kind: Role among the models of a week.
        settings: Class of its lane's section in the settings: hyperparameters, defaults, grid, thresholds.
        build: Function that returns the unfitted estimator for hyperparameters, seed, target column and vector column.
        model_class: Full name of the class that a fit returns; a registered version is loaded only as this class.
        importances: Function that returns the weight of each vector slot in a fitted model, at least 0, shape (slots,).
        importance_kind: Meaning of the weights.
        describe: Function that returns further facts about a fitted model for its metadata.
        exports: Formats that a model can be written in: spark (its own format, read by Spark), onnx, pmml.
        scale_invariant: True if a model does not depend on the scale of the slots.
        single_pass: True if a fit reads its rows only once, so that they need no cache.
        configure_for_rows: Function that returns the estimator configured for a number of rows; the model is the same.
        shared_fit: Rule for reading several trials' models from one fit; None if each trial needs its own fit.
        early_stopping: Early stopping of a fit; None if no fit stops early.
        own_threads: Threads of a fit that uses all cores of a local session; None if no fit does.
        surrogate: Function that returns an unfitted model of a fast engine, with fit(x, y) and predict(x), for
            hyperparameters, seed and number of slots.
        requirements: Package that is not always installed; None if the algorithm needs none.
        members: Function that returns the names of the algorithms that a fit with these hyperparameters fits in turn.
    """

    group: ClassVar[str] = ALGORITHM_GROUP
    kind: Literal["baseline", "primary", "alternative"]
    settings: type[ModelSettings]
    build: Callable[[Any, int, str, str], "Estimator"]
    model_class: str
    importances: Callable[[Any], "NDArray[np.float64]"]
    importance_kind: str
    describe: Callable[[Any], dict[str, Any]]
    _: KW_ONLY
    exports: tuple[Export, ...] = ("spark",)
    scale_invariant: bool = False
    single_pass: bool = False
    configure_for_rows: Callable[[Any, int], "Estimator"] | None = None
    shared_fit: SharedFit | None = None
    early_stopping: EarlyStopping | None = None
    own_threads: OwnThreads | None = None
    surrogate: Callable[[Any, int, int], Any] | None = None
    requirements: Requirements | None = None
    members: Callable[[Any], Sequence[str]] = _no_members

    @property
    def hyperparameters(self) -> type[Hyperparameters]:
        """The class of its hyperparameters, from its settings."""
        return self.settings.hyperparameters_class()

    def stops_early(self, hyperparameters: Hyperparameters) -> bool:
        """Return True if a fit with these hyperparameters stops early."""
        return self.early_stopping is not None and self.early_stopping.applies(hyperparameters)

    def uses_all_cores(self, hyperparameters: Hyperparameters) -> bool:
        """Return True if a single fit with these hyperparameters uses all cores of a local session."""
        return self.own_threads is not None and self.own_threads.applies(hyperparameters)

    @property
    def fold_task(self) -> Callable[[Any, int, int, Fill], Task] | None:
        """The function that returns the task of a fold; None if there is none."""
        return self.own_threads.fold_task if self.own_threads else None

    def fit(
        self,
        vectors: Any,
        hyperparameters: Hyperparameters,
        seed: int,
        target: str,
        vector: str,
        stop: str | None = None,
        rows: int | None = None,
    ) -> "Model":
        """Fit on preprocessed rows.

        Args:
            vectors: Preprocessed rows, with the column `row` for algorithms that sample rows by it (svr, ensemble) or
                order them by it (xgboost).
            hyperparameters: Hyperparameters of this algorithm.
            seed: Seed for all random draws.
            target: Column of the observed value.
            vector: Column of the vector.
            stop: Column that marks the validation rows for early stopping; the model is not fitted on them. If no row
                is marked, the fit does not stop early.
            rows: Upper bound of the number of rows; None to count them if the fit depends on their number.

        Raises:
            TypeError: If the hyperparameters are another algorithm's.
            ValueError: If the fit stops early and no column marks its validation rows.
        """
        if not isinstance(hyperparameters, self.hyperparameters):
            raise TypeError(
                f"The hyperparameters of {self.name} are {type(hyperparameters).__name__}. Expected "
                f"{self.hyperparameters.__name__}."
            )
        estimator = self.build(hyperparameters, seed, target, vector)
        if self.early_stopping is not None and self.stops_early(hyperparameters):
            if stop is None:
                raise ValueError(messages.NO_VALIDATION_ROWS(algorithm=self.name))
            if not self.early_stopping.needs_rows or vectors.where(stop).take(1):
                estimator = self.early_stopping.with_validation_indicator(estimator, stop)
        if self.configure_for_rows is not None:
            estimator = self.configure_for_rows(estimator, vectors.count() if rows is None else rows)
        return estimator.fit(vectors)


@cache
def built_in_algorithms() -> dict[str, Algorithm]:
    """Return the built-in algorithms by name, loaded by their entry points."""
    return {name: EntryPoint(name, at, ALGORITHM_GROUP).load() for name, at in BUILT_IN.items()}


def algorithms() -> dict[str, Algorithm]:
    """Return every algorithm by name: the built-in ones, then those of installed packages."""
    return built_in_algorithms() | select_usable(ALGORITHM_GROUP)


def algorithm_named(name: str) -> Algorithm:
    """Return the algorithm with a name.

    Raises:
        ValueError: If no algorithm has this name.
    """
    known = algorithms()
    if name not in known:
        raise ValueError(messages.UNKNOWN(algorithm=name, known=list(known)))
    return known[name]
