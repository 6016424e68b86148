"""Pictures: PNG files of the right size that show the data they were given."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable

import numpy as np
import pytest

from traffic_assets.ml import plots
from traffic_assets.ml.cross_validation import Trial
from traffic_assets.ml.evaluation import Points, Standing
from traffic_assets.ml.importances import Importances
from traffic_assets.ml.metrics import Metrics, Spread

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Draw = Callable[[float], bytes]


def _points(shift: float, size: int = 200) -> Points:
    actual = np.linspace(5, 70, size)
    return Points(actual=actual, predicted=actual + shift * np.sin(np.arange(size)))


def _importances(weight: float, number: int = 4) -> Importances:
    features = {f"feature_{i:02d}": weight / (i + 1) for i in range(number)}
    return Importances(kind="mean decrease of impurity", features=features, slots=features)


def _metrics(rmse: float, r2: float = 0.9) -> Metrics:
    return Metrics(rows=9, rmse=rmse, mae=1, mape=0.1, r2=r2)


def _trial(rmse: float, r2: float = 0.9) -> Trial:
    summary = {"rmse": Spread(mean=rmse, std=0.1), "r2": Spread(mean=r2, std=0.1)}
    return Trial(hyperparameters={}, folds=[_metrics(rmse, r2), _metrics(rmse + 1, r2)], summary=summary)


def _standings(rmse: float, number: int = 2) -> list[Standing]:
    return [
        Standing(model=f"m{i}", kind="baseline", test=_metrics(rmse), temporal=_metrics(rmse + i), targets_missed=[])
        for i in range(number)
    ]


PICTURES: dict[str, tuple[Draw, tuple[int, int]]] = {
    "predicted_against_actual": (lambda x: plots.predicted_against_actual(_points(x), "Model"), (572, 528)),
    "residuals": (lambda x: plots.residuals(_points(x), "Model"), (990, 418)),
    "importances": (lambda x: plots.importances(_importances(x), "Model"), (770, 277)),
    "folds": (lambda x: plots.folds(_trial(x), "Model"), (880, 352)),
    "comparison": (lambda x: plots.comparison(_standings(x)), (825, 308)),
}


def _size(png: bytes) -> tuple[int, int]:
    """Width and height as the file's header says."""
    assert png.startswith(SIGNATURE)
    assert png[12:16] == b"IHDR"
    assert png.rstrip().endswith(b"IEND\xaeB`\x82"), "the file is whole"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_png_of_its_size_that_shows_its_data(name: str) -> None:
    draw, expected = PICTURES[name]
    first, other = draw(1.0), draw(3.0)
    assert _size(first) == pytest.approx(expected, abs=1)
    assert first != other, "other data, another picture"
    assert draw(1.0) == first, "the same data, the same picture"


@pytest.mark.parametrize("draw", [plots.predicted_against_actual, plots.residuals])
def test_the_title_is_drawn(draw: Callable[[Points, str], bytes]) -> None:
    assert draw(_points(1.0), "Random forest") != draw(_points(1.0), "Linear regression")


def test_pictures_grow_with_what_they_list() -> None:
    few, many, most = (_size(plots.importances(_importances(1.0, n), "Model"))[1] for n in (2, 15, 40))
    assert few < many
    assert many == most, "the 15 heaviest are shown"
    two, five = (_size(plots.comparison(_standings(1.0, n)))[1] for n in (2, 5))
    assert two < five


@pytest.mark.filterwarnings("ignore:Data has no positive values")
@pytest.mark.parametrize("size", [0, 1])
def test_few_points_make_a_picture_too(size: int) -> None:
    for draw in (plots.predicted_against_actual, plots.residuals):
        assert _size(draw(_points(1.0, size), "Model"))


def test_metrics_that_are_nan_make_a_picture_too() -> None:
    assert _size(plots.folds(_trial(1.0, math.nan), "Model"))


def test_no_window_and_no_global_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyplot, which keeps figures and may open windows."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw, _ in PICTURES.values():
        assert draw(1.0)
