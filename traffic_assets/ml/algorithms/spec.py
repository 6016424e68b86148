"""What an algorithm is to the rest of the package: a spec of plain functions.

The estimators themselves are built in the files beside this one; hyperparameters and their ranges are settings.
Specs are needed when the code location loads, so pyspark and numpy are imported only where a fit needs them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from traffic_assets.settings.hyperparameters import Hyperparameters, ModelSettings
from traffic_assets.settings.plugins import ALGORITHM_GROUP, Extension

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyspark.ml import Estimator, Model

ROW = "row"
"""Column of a whole number that stands for a row, the same on every cluster: what an algorithm draws rows by."""


Export = Literal["spark", "onnx", "pmml"]
Fill = Literal["median", "mean"]
Task = Callable[[Iterator[Any]], Iterator[Any]]
"""What is done in a Spark task with the rows of one partition, as batches of Arrow."""


@dataclass(frozen=True)
class Sharing:
    """Which trials one fit of trees answers for (`ml/search/sharing.py`).

    Attributes:
        trees: hyperparameter that says how many trees.
        depth: the one that says how deep, where a tree may be cut; None for boosting, whose next tree would differ.
        min_rows: the one that says how few rows a child may have, where splits may be taken back.
        average: of the trees (a forest), or their weighted sum.
        levels: the one that says how deep trees grow, where it is not `depth`.
    """

    trees: str
    depth: str | None
    min_rows: str | None
    average: bool
    levels: str | None = None
    deepest: ClassVar[int] = 30


def _never(_: Any) -> bool:
    return False


def _alone(_: Any) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Algorithm(Extension):
    """One algorithm, of this package or of another (`docs/extending.md`).

    Attributes:
        name: its lane's name: in asset keys, paths and on the command line.
        title: its name for people.
        kind: its part among the models of a week.
        settings: the class of its lane's section in the settings: hyperparameters, their defaults, the grid.
        build: makes the unfitted estimator from hyperparameters, seed, target and vector column.
        model_class: full name of what a fit returns; a registered version is loaded as this class and no other.
        importances: the weight of each vector slot in a fitted model, all at least 0, shape (slots,).
        importance_kind: what the weights are.
        describe: further facts of a fitted model for its metadata.
        sharing: which trials of a search one fit answers for; None where each needs its own.
        stops_early: whether a fit with these hyperparameters ends when the error on some rows grows no smaller.
        quick: a fast engine that ranks these hyperparameters for a given number of slots; None without.
        stop_on: tells an estimator the column that marks those rows; None where the algorithm knows no such end.
        suited: makes an estimator suit the number of rows; the model is the same. None where nothing depends on it.
        scale_free: whether a model is as good whatever the scales of the slots are: it is given the vector without the
            scaler, which saves a pass over the rows in each fold. MLlib's trees keep the scaler: they
            came out different without it (docs/preprocessing.md).
        reads_once: whether a fit reads its rows once and keeps what it needs itself.
        all_cores: whether a fit with these hyperparameters takes all cores of a local session by itself.
        fold_task: for fits with all cores: given hyperparameters, seed, threads and what stands for a missing number,
            what fills, fits and judges a fold in one task (`ml/fold_tasks.py`). Without, a fold is prepared and judged
            by Spark. Only with `scale_free`; the estimator is given lists of 32-bit floats as well as vectors then.
        exports: what a model can be written as: spark (its own format, read by Spark), onnx, pmml.
        package: what has to be importable beside what the project always needs; None without.
        extra: the extra of this project that brings the package.
        members: names of the algorithms that a fit with these hyperparameters fits in its turn.
    """

    group: ClassVar[str] = ALGORITHM_GROUP
    kind: Literal["baseline", "primary", "alternative"]
    settings: type[ModelSettings]
    build: Callable[[Any, int, str, str], "Estimator"]
    model_class: str
    importances: Callable[[Any], "NDArray[np.float64]"]
    importance_kind: str
    describe: Callable[[Any], dict[str, Any]]
    sharing: Sharing | None = None
    stops_early: Callable[[Any], bool] = _never
    stop_on: Callable[[Any, str], "Estimator"] | None = None
    suited: Callable[[Any, int], "Estimator"] | None = None
    scale_free: bool = False
    reads_once: bool = False
    all_cores: Callable[[Any], bool] = _never
    fold_task: Callable[[Any, int, int, Fill], Task] | None = None
    exports: tuple[Export, ...] = ("spark",)
    package: str | None = None
    quick: Callable[[Any, int, int], Any] | None = None
    extra: str | None = None
    members: Callable[[Any], Sequence[str]] = _alone

    @property
    def hyperparameters(self) -> type[Hyperparameters]:
        """The class of its hyperparameters, which its settings name."""
        found: Any = self.settings.model_fields["hyperparameters"].annotation
        return found

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
            vectors: the rows, with the column `row` for algorithms that draw some of them (svr, ensemble) or
                fit them in an order of their own (xgboost).
            hyperparameters: of this algorithm.
            seed: of whatever is drawn.
            target: column of the observed value.
            vector: column of the vector.
            stop: column that marks the rows which end a fit early; they are not fitted.
            rows: how many there are at most, where it is known; counted otherwise, where something depends on it.

        Raises:
            TypeError: where the hyperparameters are another algorithm's.
            ValueError: where the fit is to stop early, and no rows are marked for it.
        """
        if not isinstance(hyperparameters, self.hyperparameters):
            raise TypeError(
                f"{self.name} takes {self.hyperparameters.__name__}, given {type(hyperparameters).__name__}"
            )
        estimator = self.build(hyperparameters, seed, target, vector)
        if self.stops_early(hyperparameters):
            if stop is None or self.stop_on is None:
                raise ValueError(f"{self.name} is to stop early: mark the rows that decide it")
            estimator = self.stop_on(estimator, stop)
        if self.suited is not None:
            estimator = self.suited(estimator, vectors.count() if rows is None else rows)
        return estimator.fit(vectors)
