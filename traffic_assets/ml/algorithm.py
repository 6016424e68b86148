"""An algorithm as the rest of the package sees it, and the lookup of algorithms by name.

An `Algorithm` has a required core; what only some can do is optional (`capabilities.py`). Built-in algorithms are named
in `settings/models/__init__.py` and loaded as those of plugins are, by their entry points. The code location needs them
when it loads, so pyspark and numpy are imported only when a fit needs them.
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from traffic_assets.ml.capabilities import EarlyStopping, Fill, OwnThreads, Requirements, SharedFit, Task
from traffic_assets.ml.old_attributes import accept_old_attributes
from traffic_assets.settings.models import BUILT_IN
from traffic_assets.settings.models.base import Hyperparameters, ModelSettings
from traffic_assets.settings.plugins import ALGORITHM_GROUP, Extension, usable

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
"""Column of a whole number that identifies a row, the same on every cluster; algorithms draw rows by it."""

Export = Literal["spark", "onnx", "pmml"]


def _no_members(_: Any) -> Sequence[str]:
    return ()


@accept_old_attributes
@dataclass(frozen=True)
class Algorithm(Extension):
    """One algorithm, of this package or of another (`docs/extending.md`).

    Attributes:
        name: Name of its lane: in asset keys, paths and on the command line.
        title: Name for people.
        kind: Its role among the models of a week.
        settings: Class of its lane's section in the settings: hyperparameters, defaults, grid, thresholds.
        build: Returns the unfitted estimator for hyperparameters, seed, target column and vector column.
        model_class: Full name of the class that a fit returns; a registered version is loaded as no other class.
        importances: Returns the weight of each vector slot in a fitted model, all at least 0, shape (slots,).
        importance_kind: Meaning of the weights.
        describe: Returns further facts about a fitted model for its metadata.
        exports: Formats that a model can be written in: spark (its own format, read by Spark), onnx, pmml.
        scale_invariant: True if a model is as good on any scale of the slots. Its vector then skips the scaler, which
            saves a pass over the rows in each fold. MLlib's trees keep the scaler, because they came out different
            without it (docs/preprocessing.md).
        single_pass: True if a fit reads its rows once and keeps what it needs itself.
        configure_for_rows: Returns the estimator configured for a number of rows, for the same model.
        shared_fit: How one fit yields the models of several trials of a search; None if each trial needs its own fit.
        early_stopping: How a fit stops early; None if it never does.
        own_threads: How a fit takes all cores of a local session by itself; None if it never does.
        surrogate: Returns an unfitted model of a fast engine, with fit(x, y) and predict(x), for hyperparameters, seed
            and number of slots. A search ranks hyperparameters with it before it tries them.
        requirements: A package that is not always installed; None without.
        members: Returns the names of the algorithms that a fit with these hyperparameters fits in turn.
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
        """The class of its hyperparameters, which its settings name."""
        return self.settings.hyperparameters_class()

    def stops_early(self, hyperparameters: Hyperparameters) -> bool:
        """Return true if a fit with these hyperparameters stops early."""
        return self.early_stopping is not None and self.early_stopping.applies(hyperparameters)

    def uses_all_cores(self, hyperparameters: Hyperparameters) -> bool:
        """Return true if a fit with these hyperparameters takes all cores of a local session by itself."""
        return self.own_threads is not None and self.own_threads.applies(hyperparameters)

    @property
    def fold_task(self) -> Callable[[Any, int, int, Fill], Task] | None:
        """The function that makes the task of a fold, if there is one."""
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
            vectors: Rows with the column `row` for algorithms that draw some of them (svr, ensemble) or
                fit them in an order of their own (xgboost).
            hyperparameters: Hyperparameters of this algorithm.
            seed: Seed of all random draws.
            target: Column of the observed value.
            vector: Column of the vector.
            stop: Column that marks the rows that stop a fit early; they are not fitted.
            rows: Upper limit of the number of rows if it is known; otherwise they are counted when a fit depends on it.

        Raises:
            TypeError: If the hyperparameters are another algorithm's.
            ValueError: If the fit stops early and no rows are marked for it.
        """
        if not isinstance(hyperparameters, self.hyperparameters):
            raise TypeError(
                f"{self.name} takes {self.hyperparameters.__name__}, given {type(hyperparameters).__name__}"
            )
        estimator = self.build(hyperparameters, seed, target, vector)
        if self.early_stopping is not None and self.stops_early(hyperparameters):
            if stop is None:
                raise ValueError(f"{self.name} is to stop early: mark the rows that decide it")
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
    return built_in_algorithms() | usable(ALGORITHM_GROUP)


def algorithm_named(name: str) -> Algorithm:
    """Return the algorithm of a name.

    Raises:
        ValueError: If there is none; the message names the others.
    """
    known = algorithms()
    if name not in known:
        raise ValueError(f"unknown algorithm {name!r}; the known ones are {', '.join(known)}")
    return known[name]
