"""Attributes of an algorithm from before the capability objects: they keep their meaning, or are refused."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from traffic_assets.ml import algorithm as current
from traffic_assets.ml.algorithm import Algorithm, EarlyStopping, OwnThreads, Requirements, SharedFit, algorithm_named
from traffic_assets.settings.models.linear_regression import LinearRegressionHyperparameters, LinearRegressionSettings
from traffic_assets_tests.codes import get_code, get_values, warns_with

CORE: dict[str, Any] = {
    "name": "acme", "title": "Acme", "kind": "alternative", "settings": LinearRegressionSettings,
    "build": lambda *arguments: Estimator(arguments), "model_class": "acme.Model", "importances": abs,
    "importance_kind": "gain", "describe": vars,
}  # fmt: skip
OLD: dict[str, Any] = {
    "sharing": SharedFit("trees", "depth", "rows", average=True),
    "stops_early": lambda h: h.regParam > 0,
    "stop_on": lambda estimator, column: Estimator((estimator, column)),
    "suited": lambda estimator, rows: Estimator((estimator, rows)),
    "scale_free": True,
    "reads_once": True,
    "all_cores": lambda h: h.regParam > 1,
    "fold_task": lambda *arguments: arguments,
    "package": "acme_engine",
    "quick": lambda h, seed, slots: (h, seed, slots),
    "extra": "acme",
}
ORDER = (
    "sharing", "stops_early", "stop_on", "suited", "scale_free", "reads_once", "all_cores", "fold_task", "exports",
    "package", "quick", "extra", "members",
)  # fmt: skip
"""The optional attributes in their old order."""
NEW = {
    "sharing": "shared_fit", "stops_early": "early_stopping.applies",
    "stop_on": "early_stopping.with_validation_indicator", "suited": "configure_for_rows",
    "scale_free": "scale_invariant", "reads_once": "single_pass", "all_cores": "own_threads.applies",
    "fold_task": "own_threads.fold_task", "package": "requirements.package", "quick": "surrogate",
    "extra": "requirements.extra",
}  # fmt: skip
"""The new name of each old attribute."""

PLAIN = LinearRegressionHyperparameters(regParam=0.0)
STRONG = LinearRegressionHyperparameters(regParam=2.0)


@dataclass(frozen=True)
class Estimator:
    """Estimator that records its arguments."""

    made: Any

    def fit(self, rows: Any) -> Any:
        return self


def _algorithm(*positional: Any, **named: Any) -> Algorithm:
    """Return an algorithm, hiding the old arguments from type checkers."""
    make: Any = Algorithm
    return make(*positional, **(CORE | named if not positional else named))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_keywords_keep_their_meaning() -> None:
    algorithm = _algorithm(**OLD)
    assert algorithm == _algorithm(
        shared_fit=OLD["sharing"],
        early_stopping=EarlyStopping(OLD["stops_early"], OLD["stop_on"]),
        configure_for_rows=OLD["suited"],
        scale_invariant=True,
        single_pass=True,
        own_threads=OwnThreads(OLD["all_cores"], OLD["fold_task"]),
        requirements=Requirements("acme_engine", "acme"),
        surrogate=OLD["quick"],
    )
    assert (algorithm.stops_early(PLAIN), algorithm.stops_early(STRONG)) == (False, True)
    assert (algorithm.uses_all_cores(PLAIN), algorithm.uses_all_cores(STRONG)) == (False, True)
    fitted: Any = algorithm.fit("rows", STRONG, 7, "speed", "features", stop="marked", rows=9)
    configured, rows = fitted.made
    built, marked = configured.made
    assert (built.made, marked, rows) == ((STRONG, 7, "speed", "features"), "marked", 9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_algorithm_that_never_stops_early_has_no_old_function_for_it() -> None:
    plain: Any = _algorithm()
    assert plain.stop_on is None


@pytest.mark.parametrize("name", [name for name in OLD if name not in ("stops_early", "extra")])
def test_each_old_attribute_is_accepted_and_read_with_a_warning(name: str) -> None:
    with warns_with("deprecation.renamed", old=f"Algorithm({name}=...)", new=NEW[name]):
        algorithm = _algorithm(**{name: OLD[name]})
    if name == "fold_task":
        assert algorithm.fold_task is OLD[name]
        return
    with warns_with("deprecation.renamed", old=f"Algorithm.{name}", new=NEW[name]):
        assert getattr(algorithm, name) is OLD[name]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_attribute_without_a_value_changes_nothing() -> None:
    for name in ("sharing", "suited", "quick", "package", "extra"):
        assert _algorithm(**{name: None}) == _algorithm()
    assert _algorithm(extra="acme") == _algorithm(), "without a package there is nothing to install"
    algorithm = _algorithm(stop_on=OLD["stop_on"], fold_task=OLD["fold_task"])
    assert not algorithm.stops_early(STRONG)
    assert not algorithm.uses_all_cores(STRONG)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_optional_attributes_by_position_have_the_old_order() -> None:
    values = OLD | {"exports": ("spark", "onnx"), "members": lambda h: ("svr",)}
    assert _algorithm(*CORE.values(), *(values[name] for name in ORDER)) == _algorithm(**values)
    with pytest.raises(TypeError, match=r"23 attributes by position\. Expected at most 22"):
        _algorithm(*CORE.values(), *ORDER, None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_copy_with_an_old_attribute_keeps_the_rest_of_its_object() -> None:
    changed: Any = replace
    xgboost = algorithm_named("xgboost")
    own, early = xgboost.own_threads, xgboost.early_stopping
    assert own is not None and early is not None
    assert changed(xgboost, fold_task=None) == replace(xgboost, own_threads=OwnThreads(own.applies))
    assert changed(xgboost, scale_free=False) == replace(xgboost, scale_invariant=False)
    assert changed(xgboost, stops_early=abs).early_stopping == EarlyStopping(abs, early.with_validation_indicator)
    assert changed(xgboost, package=None).requirements is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fit_that_stops_early_without_an_indicator_is_refused_as_before() -> None:
    algorithm = _algorithm(stops_early=OLD["stops_early"])
    with pytest.raises(ValueError) as caught:
        algorithm.fit("rows", STRONG, 7, "speed", "features")
    assert get_code(caught.value) == "algorithms.no-validation-rows"
    with pytest.raises(ValueError) as caught:
        algorithm.fit("rows", STRONG, 7, "speed", "features", stop="marked")
    assert get_code(caught.value) == "algorithms.no-validation-indicator"
    assert get_values(caught.value) == {"column": "marked"}
    assert algorithm.fit("rows", PLAIN, 7, "speed", "features")


def test_attributes_that_nothing_reads_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'warm_start'"):
        _algorithm(warm_start=True)
    with pytest.raises(TypeError, match=r"Nothing reads Mine\.scale_free\. Expected scale_invariant"):

        @dataclass(frozen=True)
        class Mine(Algorithm):
            scale_free: bool = True

    with pytest.raises(TypeError, match=r"Nothing reads Own\.all_cores\. Expected own_threads\.applies"):

        class Own(Algorithm):
            def all_cores(self, hyperparameters: Any) -> bool:
                return True


def test_a_subclass_without_old_attributes_is_accepted() -> None:
    class Own(Algorithm):
        def describe_more(self) -> str:
            return self.title

    with warns_with("deprecation.renamed", old="Algorithm(scale_free=...)", new="scale_invariant"):
        algorithm: Any = Own(**CORE, scale_free=True)  # type: ignore[call-arg]
    assert (algorithm.scale_invariant, algorithm.describe_more()) == (True, "Acme")


def test_the_core_is_required_and_the_rest_is_optional() -> None:
    assert {field.name for field in fields(Algorithm)} == {*CORE, *fields_with_defaults()}
    for name in CORE:
        with pytest.raises(TypeError, match=name):
            Algorithm(**{key: value for key, value in CORE.items() if key != name})


def fields_with_defaults() -> set[str]:
    plain = Algorithm(**CORE)
    return {f.name for f in fields(Algorithm) if f.name not in CORE and getattr(plain, f.name) == f.default}


@pytest.mark.parametrize("name", ["Algorithm", "ROW", "algorithms", "algorithm_named"])
def test_old_imports_are_the_same_objects_with_a_warning(name: str) -> None:
    from traffic_assets.ml import algorithms
    from traffic_assets.ml.algorithms import spec

    with warns_with("deprecation.moved", old=f"{algorithms.__name__}.{name}", new=current.__name__):
        assert getattr(algorithms, name) is getattr(current, name)
    if name in ("Algorithm", "ROW"):
        with warns_with("deprecation.moved", old=f"{spec.__name__}.{name}", new=current.__name__):
            assert getattr(spec, name) is getattr(current, name)


def test_the_old_names_of_the_built_in_algorithms_and_of_a_shared_fit() -> None:
    from traffic_assets.ml import algorithms
    from traffic_assets.ml.algorithms import spec

    new = f"{current.__name__}.built_in_algorithms()"
    with warns_with("deprecation.renamed", old=f"{algorithms.__name__}.ALGORITHMS", new=new):
        assert algorithms.ALGORITHMS is current.built_in_algorithms()
    with warns_with("deprecation.moved", old=f"{spec.__name__}.Sharing", new=f"{current.__name__}.SharedFit"):
        assert spec.Sharing is SharedFit
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        algorithms.nothing  # type: ignore[attr-defined]  # noqa: B018
