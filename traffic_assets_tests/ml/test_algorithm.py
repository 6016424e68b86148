"""The description of an algorithm: cheap to import, and fitted with its own hyperparameters only."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from traffic_assets.ml.algorithm import Algorithm, algorithm_named, built_in_algorithms
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters
from traffic_assets.settings.models.random_forest import RandomForestHyperparameters
from traffic_assets.settings.schema import ModelsSettings
from traffic_assets_tests.processes import Processes

LINEAR = algorithm_named("linear_regression")
PLAIN = LinearRegressionHyperparameters(regParam=0.5)


def test_a_fit_builds_the_estimator_and_fits_it() -> None:
    def build(*arguments: Any) -> Any:
        return SimpleNamespace(fit=lambda rows: (arguments, rows))

    algorithm = replace(LINEAR, build=build)
    fitted: Any = algorithm.fit("rows", PLAIN, seed=7, target="speed", vector="features")
    assert fitted == ((PLAIN, 7, "speed", "features"), "rows")


@pytest.mark.parametrize(("rows", "expected"), [(None, 3), (5, 5)])
def test_rows_are_counted_only_if_their_number_is_unknown(rows: int | None, expected: int) -> None:
    vectors: Any = SimpleNamespace(count=lambda: 3)
    estimator: Any = SimpleNamespace(fit=lambda rows: None)
    seen: list[int] = []

    def configured(built: Any, rows: int) -> Any:
        seen.append(rows)
        return built

    algorithm = replace(LINEAR, build=lambda *_: estimator, configure_for_rows=configured)
    algorithm.fit(vectors, PLAIN, seed=7, target="speed", vector="features", rows=rows)
    assert seen == [expected]


def test_hyperparameters_of_another_algorithm_are_refused_before_the_estimator_is_built() -> None:
    def build(*_: Any) -> Any:
        raise AssertionError("built")

    algorithm = replace(LINEAR, build=build)
    expected = "of linear_regression are RandomForestHyperparameters. Expected LinearRegressionHyperparameters"
    with pytest.raises(TypeError, match=expected):
        algorithm.fit("rows", RandomForestHyperparameters(), seed=7, target="speed", vector="features")
    with pytest.raises(AssertionError, match="built"):
        algorithm.fit("rows", PLAIN, seed=7, target="speed", vector="features")


def test_an_algorithm_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        LINEAR.name = "other"  # type: ignore[misc]


def test_the_list_of_algorithms_is_cheap_to_import(processes: Processes) -> None:
    """Check the import when the code location loads. Only a fit imports pyspark and numpy."""
    code = (
        "import sys, traffic_assets.ml.algorithm as a; "
        "assert len(a.built_in_algorithms()) >= 3; "
        "print(*sorted({'pyspark', 'numpy', 'pandas', 'dagster', 'matplotlib'} & set(sys.modules)))"
    )
    done = processes.python("-c", code, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("algorithm", built_in_algorithms().values(), ids=lambda a: a.name)
def test_the_table_in_the_docs_is_up_to_date(algorithm: Algorithm) -> None:
    text = (Path(__file__).parents[2] / "docs" / "algorithms.md").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(f"| `{algorithm.name}` "))
    _, _, needs, on, hyperparameters, importances, exports, _ = (cell.strip() for cell in line.split("|"))
    assert hyperparameters.replace("`", "").split() == list(algorithm.hyperparameters.model_fields)
    assert ("extra `" in needs) == (algorithm.requirements is not None)
    assert on == ("yes" if ModelsSettings().get_sections()[algorithm.name].enabled else "no")
    assert importances == algorithm.importance_kind
    assert (
        tuple(word.lower() for word in exports.replace(" planned", "").replace(";", ",").split(", "))
        == algorithm.exports
    )
