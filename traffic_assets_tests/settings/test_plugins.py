"""Plugins in the settings: sections of their own, and what is said of those that cannot be used."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.settings import Settings, SettingsError, load_settings
from traffic_assets.settings.plugins import (
    ALGORITHM_GROUP,
    METRIC_GROUP,
    PluginWarning,
    plugins,
    settings_class,
    usable,
)
from traffic_assets_tests.packages import ALGORITHM, METRIC, Install

ACME = {ALGORITHM_GROUP: {"acme": "ACME"}}
BROKEN = "raise ImportError('no engine here')"


def _line(path: str, overrides: Mapping[str, Any], environ: dict[str, str] | None = None) -> str:
    """What is said of one path of the settings."""
    with pytest.warns(PluginWarning), pytest.raises(SettingsError) as caught:
        load_settings("local", overrides, environ or {})
    (line,) = [text.strip() for text in str(caught.value).splitlines() if text.strip().startswith(f"{path}: ")]
    return line


def test_without_plugins_the_settings_are_the_built_in_ones(install: Install) -> None:
    assert settings_class() is Settings
    assert usable(ALGORITHM_GROUP) == usable(METRIC_GROUP) == {}


def test_an_algorithm_has_a_section_targets_and_a_lane(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    found = load_settings(
        "local",
        {"models": {"acme": {"tune": True, "grid": {"depth": [1, 2]}}}, "evaluation": {"thresholds": {"acme": {}}}},
        {"TRAFFIC_MODELS__ACME__HYPERPARAMETERS__DEPTH": "9", "TRAFFIC_EVALUATION__THRESHOLDS__ACME__RMSE_MAX": "4"},
    )
    section = found.enabled_models["acme"]
    assert section.hyperparameters.model_dump() == {"depth": 9}
    assert section.grid == {"depth": [1, 2]}
    assert found.evaluation.thresholds.acme.rmse_max == 4
    assert list(found.enabled_models)[-1] == "acme"
    assert isinstance(found, Settings)
    assert settings_class().model_validate(json.loads(found.model_dump_json())) == found


def test_the_settings_of_an_algorithm_of_another_package_are_its_own(install: Install) -> None:
    """Names that scikit-learn has are neither ours there nor refused; `gbt` is the package's own."""
    code = ALGORITHM.replace("acme", "gbt").replace("depth", "n_jobs")
    install("acme-models", code, {ALGORITHM_GROUP: {"gbt": "ACME"}})
    found = load_settings("local", {"models": {"gbt": {"tune": True, "grid": {"n_jobs": [1, 2]}}}}, {})
    section = found.enabled_models["gbt"]
    assert section.grid == {"n_jobs": [1, 2]}
    assert "gradient_boosted_trees" in found.enabled_models


def test_a_file_that_lists_models_turns_those_of_other_packages_off_as_well(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("acme-models", ALGORITHM, ACME)
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps({"models": {"random_forest": {"hyperparameters": {"n_estimators": 7}}}}))
    assert list(load_settings(path, environ={}).enabled_models) == ["random_forest"]
    assert "not listed, so off: linear_regression, gradient_boosted_trees, acme;" in caplog.text
    path.write_text(json.dumps({"models": {"acme": {}, "random_forest": {"hyperparameters": {"n_estimators": 7}}}}))
    assert list(load_settings(path, environ={}).enabled_models) == ["random_forest", "acme"]


OLD_GATE = "from typing import Any, ClassVar\nfrom traffic_assets.settings.gate import Targets\n"
GATE = "from typing import Any, ClassVar\nfrom traffic_assets.settings.gate import GateThresholds\n"
SECTION = "class Section(ModelSettings):\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("imports", "attribute"),
    [
        (GATE, "thresholds: ClassVar[GateThresholds] = GateThresholds(r2_min=0.7)"),
        (OLD_GATE, "targets: ClassVar[Targets] = Targets(r2_min=0.7)"),
    ],
)
def test_an_algorithm_brings_the_thresholds_of_its_gate(install: Install, imports: str, attribute: str) -> None:
    """As the algorithms of this package do, also as a plugin gave them before; a settings file overrides them."""
    install("acme-models", imports + ALGORITHM.replace(SECTION, f"{SECTION}    {attribute}\n"), ACME)
    found = load_settings("local", environ={})
    assert found.get_thresholds("speed", "acme").model_dump(exclude_none=True) == {"r2_min": 0.7}
    for key in ("thresholds", "targets"):
        found = load_settings("local", {"evaluation": {key: {"acme": {"rmse_max": 4}}}}, {})
        assert found.get_thresholds("speed", "acme").model_dump(exclude_none=True) == {"rmse_max": 4}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Field name:UserWarning")
@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ("targets: ClassVar[Any] = {'r2': 0.7}", "its gate cannot be read: Section.targets.r2: Extra inputs are not"),
        ("targets: Targets = Targets(r2_min=0.7)", "its gate cannot be read: Section.targets is a field"),
        (
            "targets: ClassVar[Any] = {}\n    thresholds: ClassVar[Any] = {}",
            "its gate cannot be read: Section.targets: the old name of thresholds, and both are given",
        ),
    ],
)
def test_an_algorithm_whose_gate_cannot_be_read_is_left_out_by_the_name_of_the_attribute(
    install: Install, attributes: str, problem: str
) -> None:
    install("acme-models", OLD_GATE + ALGORITHM.replace(SECTION, f"{SECTION}    {attributes}\n"), ACME)
    with pytest.warns(PluginWarning, match=r"left out: acme of acme-models 2\.1") as told:
        assert "acme" not in load_settings("local", {}, {}).enabled_models
    assert any(problem in str(warning.message) for warning in told)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_attributes_for_earlier_code_are_honoured_or_named(install: Install) -> None:
    code = ALGORITHM.replace("describe=None,", "describe=None, scale_free=True, package='acme_engine',")
    install("acme-models", code, ACME)
    acme = usable(ALGORITHM_GROUP)["acme"]
    assert (acme.scale_invariant, acme.requirements.package) == (True, "acme_engine")
    unknown = ALGORITHM.replace("acme", "other").replace("describe=None,", "describe=None, warm_start=True,")
    install("other-models", unknown, {ALGORITHM_GROUP: {"other": "ACME"}})
    shadowed = f"{ALGORITHM}\nclass Mine(Algorithm):\n    scale_free = True\n"
    install("third-models", shadowed, {ALGORITHM_GROUP: {"third": "ACME"}})
    with pytest.warns(PluginWarning) as told:
        assert "acme" in load_settings("local", {}, {}).enabled_models
    messages = "\n".join(str(warning.message) for warning in told)
    assert "left out: other of other-models 2.1" in messages
    assert "unexpected keyword argument 'warm_start'" in messages
    assert "TypeError: Nothing reads Mine.scale_free. Expected scale_invariant" in messages


def test_unknown_keys_of_a_section_are_errors(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    with pytest.raises(SettingsError, match=r"models\.acme\.tuned: not a setting \(did you mean tune\?\)"):
        load_settings("local", {"models": {"acme": {"tuned": True}}}, {})
    with pytest.raises(SettingsError, match=r"models\.acm: not a setting \(did you mean acme\?\)"):
        load_settings("local", {"models": {"acm": {}}}, {})
    with pytest.raises(SettingsError, match=r"grid\.width: not a hyperparameter; allowed: depth"):
        load_settings("local", {"models": {"acme": {"grid": {"width": [1]}}}}, {})


def test_a_metric_may_be_the_primary_one(install: Install) -> None:
    with pytest.raises(SettingsError, match="input should be 'rmse', 'mae', 'mape' or 'r2'"):
        load_settings("local", {"evaluation": {"primary_metric": "far"}}, {})
    install("acme-metrics", METRIC, {METRIC_GROUP: {"far": "FAR"}})
    assert load_settings("local", {}, {}).evaluation.primary_metric == "rmse"
    assert load_settings("local", {"evaluation": {"primary_metric": "far"}}, {}).evaluation.primary_metric == "far"
    with pytest.raises(SettingsError, match="input should be 'rmse', 'mae', 'mape', 'r2' or 'far'"):
        load_settings("local", {"evaluation": {"primary_metric": "near"}}, {})


@pytest.mark.parametrize(
    ("point", "code", "problem"),
    [
        ("acme", BROKEN, "it cannot be imported: ImportError: no engine here"),
        ("acme", "", "it cannot be imported: AttributeError: module 'acme_models' has no attribute 'ACME'"),
        ("acme", "ACME = {}", "the entry point gives no Algorithm; what it gives is of type dict"),
        ("acme", f"{ALGORITHM}\nACME = Algorithm", "what it gives is the class Algorithm"),
        ("acme", f"{METRIC}\nACME = FAR", "the entry point gives no Algorithm; what it gives is of type Metric"),
        ("tree", ALGORITHM, "the Algorithm is named 'acme', its entry point 'tree': give both one name"),
        ("random_forest", f"{ALGORITHM}\nACME = algorithm('random_forest')", "'random_forest' is built in: choose"),
        ("acme-1", f"{ALGORITHM}\nACME = algorithm('acme-1')", "'acme-1' cannot be a name: use lower-case letters"),
        ("copy", f"{ALGORITHM}\nACME = algorithm('copy')", "'copy' cannot be a name"),
        ("acme", f"{ALGORITHM}\nACME = algorithm('acme', Knobs)", "a subclass of ModelSettings is needed"),
        (
            "acme",
            f"{ALGORITHM}\nACME = algorithm('acme', ModelSettings)",
            "its settings have no valid defaults: hyperparameters: Field required",
        ),
    ],
)
def test_a_broken_algorithm_is_left_out_with_a_warning_and_refused_where_it_is_named(
    install: Install, point: str, code: str, problem: str
) -> None:
    install("acme-models", code, {ALGORITHM_GROUP: {point: "ACME"}})
    with pytest.warns(PluginWarning, match=rf"left out: {point} of acme-models 2\.1 \(entry point {point} = ") as told:
        found = load_settings("local", {}, {})
    assert problem in next(str(warning.message) for warning in told if warning.category is PluginWarning)
    assert list(found.enabled_models) == ["linear_regression", "random_forest", "gradient_boosted_trees"]
    assert not usable(ALGORITHM_GROUP)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_settings("local", {}, {})  # told once
    if point != "random_forest":
        with pytest.raises(SettingsError) as caught:
            load_settings("local", {"models": {point: {"enabled": True}}}, {})
        assert f"models.{point}: cannot be used: {point} of acme-models 2.1" in str(caught.value)
        assert problem in str(caught.value)
        assert "mend or uninstall that package" in str(caught.value)


def test_a_broken_plugin_is_refused_wherever_it_is_named(install: Install) -> None:
    install("acme-models", BROKEN, {**ACME, METRIC_GROUP: {"far": "FAR"}})
    for path, overrides in (
        ("models.acme", {"models": {"acme": {}}}),
        ("evaluation.thresholds.acme", {"evaluation": {"thresholds": {"acme": {"r2_min": 0.5}}}}),
        ("evaluation.primary_metric", {"evaluation": {"primary_metric": "far"}}),
    ):
        settings_class.cache_clear()
        assert "ImportError: no engine here" in _line(path, overrides)
    for name in ("TRAFFIC_MODELS__ACME__TUNE", "TRAFFIC_EVALUATION__THRESHOLDS__ACME__R2_MIN"):
        settings_class.cache_clear()
        assert "ImportError: no engine here" in _line(name, {}, {name: "1"})


@pytest.mark.parametrize(
    ("point", "code", "problem"),
    [
        ("bias", METRIC.replace('"far"', '"bias"'), "'bias' is built in: choose a name other than rmse, mae, mape, r2"),
        ("far", METRIC.replace('"high"', '"more"'), "ValueError: Metric 'far' has better='more'"),
        ("far", f"{ALGORITHM}\nFAR = ACME", "the entry point gives no Metric; what it gives is of type Algorithm"),
    ],
)
def test_a_broken_metric_is_left_out_with_a_warning(install: Install, point: str, code: str, problem: str) -> None:
    install("acme-metrics", code, {METRIC_GROUP: {point: "FAR"}})
    with pytest.warns(PluginWarning) as told:
        load_settings("local", {}, {})
    assert problem in next(str(warning.message) for warning in told if warning.category is PluginWarning)


def test_of_two_packages_with_one_name_neither_is_taken(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    install("other-models", ALGORITHM, ACME)
    with pytest.warns(PluginWarning, match="acme-models and other-models give the same name: uninstall all but one"):
        assert "acme" not in load_settings("local", {}, {}).enabled_models
    assert [p.distribution for p in plugins(ALGORITHM_GROUP)] == ["acme-models", "other-models"]


def test_who_takes_a_built_in_name_does_not_change_what_is_said_of_ours(install: Install) -> None:
    code = f"{ALGORITHM}\nACME = algorithm('random_forest')"
    install("acme-models", code, {ALGORITHM_GROUP: {"random_forest": "ACME"}})
    line = _line("models.random_forest.tuned", {"models": {"random_forest": {"tuned": True}}})
    assert "not a setting (did you mean tune?)" in line


def test_a_broken_plugin_harms_no_other(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    install("bad-models", BROKEN, {ALGORITHM_GROUP: {"bad": "BAD"}})
    with pytest.warns(PluginWarning, match="left out: bad of bad-models"):
        assert "acme" in load_settings("local", {}, {}).enabled_models
