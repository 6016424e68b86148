"""Plugins in the settings: sections of their own, and errors about those that cannot be used."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.settings import Settings, load_settings
from traffic_assets.settings.plugins import (
    ALGORITHM_GROUP,
    METRIC_GROUP,
    TAKEN_METRIC_NAMES,
    PluginWarning,
    plugins,
    select_usable,
    settings_class,
)
from traffic_assets.settings.schema import ModelsSettings
from traffic_assets_tests.packages import ALGORITHM, METRIC, Install
from traffic_assets_tests.settings.problems import problem, problems

ACME = {ALGORITHM_GROUP: {"acme": "ACME"}}
BROKEN = "raise ImportError('no engine here')"


def _problem_at(path: str, overrides: Mapping[str, Any], environ: dict[str, str] | None = None) -> CodedText:
    """Return the problem at one path of the settings."""
    with pytest.warns(PluginWarning):
        reported = problems("local", environ, **overrides)
    (text,) = [text for text in reported if text.values["path"] == path]
    return text


def _warning(warned: pytest.WarningsRecorder) -> CodedText:
    """Return the message of the first warning about a plugin."""
    text = next(w.message.args[0] for w in warned if isinstance(w.message, PluginWarning))
    assert isinstance(text, CodedText)
    return text


def test_without_plugins_the_settings_are_the_built_in_ones(install: Install) -> None:
    assert settings_class() is Settings
    assert select_usable(ALGORITHM_GROUP) == select_usable(METRIC_GROUP) == {}


def test_an_algorithm_has_a_section_thresholds_and_a_lane(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    settings = load_settings(
        "local",
        {"models": {"acme": {"tune": True, "grid": {"depth": [1, 2]}}}, "evaluation": {"thresholds": {"acme": {}}}},
        {"TRAFFIC_MODELS__ACME__HYPERPARAMETERS__DEPTH": "9", "TRAFFIC_EVALUATION__THRESHOLDS__ACME__RMSE_MAX": "4"},
    )
    section = settings.enabled_models["acme"]
    assert section.hyperparameters.model_dump() == {"depth": 9}
    assert section.grid == {"depth": [1, 2]}
    assert settings.evaluation.thresholds.acme.rmse_max == 4
    assert list(settings.enabled_models)[-1] == "acme"
    assert isinstance(settings, Settings)
    assert settings_class().model_validate(json.loads(settings.model_dump_json())) == settings


def test_the_settings_of_an_algorithm_of_another_package_are_its_own(install: Install) -> None:
    """Neither translate nor refuse scikit-learn's names there; `gbt` is the package's own name."""
    code = ALGORITHM.replace("acme", "gbt").replace("depth", "n_jobs")
    install("acme-models", code, {ALGORITHM_GROUP: {"gbt": "ACME"}})
    settings = load_settings("local", {"models": {"gbt": {"tune": True, "grid": {"n_jobs": [1, 2]}}}}, {})
    section = settings.enabled_models["gbt"]
    assert section.grid == {"n_jobs": [1, 2]}
    assert "gradient_boosted_trees" in settings.enabled_models


def test_a_file_that_lists_models_turns_those_of_other_packages_off_as_well(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("acme-models", ALGORITHM, ACME)
    path = tmp_path / "sklearn.json"
    path.write_text(json.dumps({"models": {"random_forest": {"hyperparameters": {"n_estimators": 7}}}}))
    assert list(load_settings(path, environ={}).enabled_models) == ["random_forest"]
    assert "off (linear_regression, gradient_boosted_trees, acme)" in caplog.text
    assert "[sklearn-config.unlisted-models]" in caplog.text
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
def test_an_algorithm_has_default_thresholds(install: Install, imports: str, attribute: str) -> None:
    """Read them under the current and the old name; a settings file overrides them."""
    install("acme-models", imports + ALGORITHM.replace(SECTION, f"{SECTION}    {attribute}\n"), ACME)
    loaded = load_settings("local", environ={})
    assert loaded.get_thresholds("speed", "acme").model_dump(exclude_none=True) == {"r2_min": 0.7}
    for key in ("thresholds", "targets"):
        loaded = load_settings("local", {"evaluation": {key: {"acme": {"rmse_max": 4}}}}, {})
        assert loaded.get_thresholds("speed", "acme").model_dump(exclude_none=True) == {"rmse_max": 4}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Field name:UserWarning")
@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("targets: ClassVar[Any] = {'r2': 0.7}", "Section.targets.r2: Extra inputs are not permitted"),
        ("targets: Targets = Targets(r2_min=0.7)", "Section.targets is a field"),
        (
            "targets: ClassVar[Any] = {}\n    thresholds: ClassVar[Any] = {}",
            "Section.targets is the old name of Section.thresholds, and both are set",
        ),
    ],
)
def test_an_algorithm_whose_gate_cannot_be_read_is_left_out_by_the_name_of_the_attribute(
    install: Install, attributes: str, reason: str
) -> None:
    install("acme-models", OLD_GATE + ALGORITHM.replace(SECTION, f"{SECTION}    {attributes}\n"), ACME)
    with pytest.warns(PluginWarning) as warned:
        assert "acme" not in load_settings("local", {}, {}).enabled_models
    text = _warning(warned)
    assert text.code == "plugins.unreadable-gate"
    assert text.values["plugin"].startswith("acme of acme-models 2.1 ")
    assert text.values["reason"].startswith(reason)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_attributes_are_read_and_unknown_ones_are_named(install: Install) -> None:
    code = ALGORITHM.replace("describe=None,", "describe=None, scale_free=True, package='acme_engine',")
    install("acme-models", code, ACME)
    acme = select_usable(ALGORITHM_GROUP)["acme"]
    assert (acme.scale_invariant, acme.requirements.package) == (True, "acme_engine")
    unknown = ALGORITHM.replace("acme", "other").replace("describe=None,", "describe=None, warm_start=True,")
    install("other-models", unknown, {ALGORITHM_GROUP: {"other": "ACME"}})
    shadowed = f"{ALGORITHM}\nclass Mine(Algorithm):\n    scale_free = True\n"
    install("third-models", shadowed, {ALGORITHM_GROUP: {"third": "ACME"}})
    with pytest.warns(PluginWarning) as warned:
        assert "acme" in load_settings("local", {}, {}).enabled_models
    assert _warning(warned).values["plugin"].startswith("other of other-models 2.1 ")
    problems = {point.name: point.problem for point in plugins(ALGORITHM_GROUP) if point.problem}
    assert {name: text.code for name, text in problems.items()} == dict.fromkeys(
        ("other", "third"), "plugins.import-failed"
    )
    assert "'warm_start'" in problems["other"].values["error"], "Python's own message"
    assert "Mine.scale_free" in problems["third"].values["error"]


def test_unknown_keys_of_a_section_are_errors(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    for models, path, suggestion in (
        ({"acme": {"tuned": True}}, "models.acme.tuned", "tune"),
        ({"acm": {}}, "models.acm", "acme"),
    ):
        text = problem("local", models=models)
        assert text.code == "settings.misspelled-key"
        assert (text.values["path"], text.values["suggestion"]) == (path, suggestion)
    text = problem("local", models={"acme": {"grid": {"size": [1]}}})
    assert text.code == "settings.unknown-hyperparameter"
    assert text.values == {"path": "models.acme.grid.size", "name": "size", "allowed": ["depth"]}


def test_a_metric_can_be_the_primary_one(install: Install) -> None:
    assert problem("local", evaluation={"primary_metric": "far"}).values == {
        "path": "evaluation.primary_metric",
        "given": "far",
        "allowed": "'rmse', 'mae', 'mape' or 'r2'",
    }
    install("acme-metrics", METRIC, {METRIC_GROUP: {"far": "FAR"}})
    assert load_settings("local", {}, {}).evaluation.primary_metric == "rmse"
    assert load_settings("local", {"evaluation": {"primary_metric": "far"}}, {}).evaluation.primary_metric == "far"
    text = problem("local", evaluation={"primary_metric": "near"})
    assert text.code == "settings.invalid-choice"
    assert text.values["allowed"] == "'rmse', 'mae', 'mape', 'r2' or 'far'"


@pytest.mark.parametrize(
    ("point", "source", "code", "values"),
    [
        ("acme", BROKEN, "plugins.import-failed", {"error": "ImportError: no engine here"}),
        (
            "acme",
            "",
            "plugins.import-failed",
            {"error": "AttributeError: module 'acme_models' has no attribute 'ACME'"},
        ),
        ("acme", "ACME = {}", "plugins.wrong-kind", {"kind": "Algorithm", "given": "of type dict"}),
        (
            "acme",
            f"{ALGORITHM}\nACME = Algorithm",
            "plugins.wrong-kind",
            {"kind": "Algorithm", "given": "the class Algorithm"},
        ),
        ("acme", f"{METRIC}\nACME = FAR", "plugins.wrong-kind", {"kind": "Algorithm", "given": "of type Metric"}),
        (
            "tree",
            ALGORITHM,
            "plugins.name-mismatch",
            {"kind": "Algorithm", "name": "acme", "entry_point": "tree"},
        ),
        (
            "random_forest",
            f"{ALGORITHM}\nACME = algorithm('random_forest')",
            "plugins.built-in-name",
            {"name": "random_forest", "taken": list(ModelsSettings.model_fields)},
        ),
        ("acme-1", f"{ALGORITHM}\nACME = algorithm('acme-1')", "plugins.invalid-name", {"name": "acme-1"}),
        ("copy", f"{ALGORITHM}\nACME = algorithm('copy')", "plugins.invalid-name", {"name": "copy"}),
        (
            "acme",
            f"{ALGORITHM}\nACME = algorithm('acme', Knobs)",
            "plugins.wrong-settings",
            {"settings": "<class 'acme_models.Knobs'>"},
        ),
        (
            "acme",
            f"{ALGORITHM}\nACME = algorithm('acme', ModelSettings)",
            "plugins.invalid-defaults",
            {"key": "hyperparameters", "reason": "Field required"},
        ),
    ],
)
def test_a_broken_algorithm_is_left_out_with_a_warning_and_refused_if_it_is_configured(
    install: Install, point: str, source: str, code: str, values: dict[str, Any]
) -> None:
    install("acme-models", source, {ALGORITHM_GROUP: {point: "ACME"}})
    with pytest.warns(PluginWarning) as warned:
        settings = load_settings("local", {}, {})
    text = _warning(warned)
    plugin = text.values["plugin"]
    assert (text.code, text.values) == (code, {**values, "plugin": plugin})
    assert plugin.startswith(f"{point} of acme-models 2.1 (entry point {point} = ")
    assert list(settings.enabled_models) == ["linear_regression", "random_forest", "gradient_boosted_trees"]
    assert not select_usable(ALGORITHM_GROUP)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_settings("local", {}, {})  # the warning comes once
    if point != "random_forest":
        refused = problem("local", models={point: {"enabled": True}})
        assert refused.code == "settings.unusable-plugin"
        assert refused.values["path"] == f"models.{point}"
        assert refused.values["plugin"] == plugin
        assert refused.values["reason"] in text


def test_a_broken_plugin_is_refused_wherever_it_is_named(install: Install) -> None:
    install("acme-models", BROKEN, {**ACME, METRIC_GROUP: {"far": "FAR"}})
    for path, overrides in (
        ("models.acme", {"models": {"acme": {}}}),
        ("evaluation.thresholds.acme", {"evaluation": {"thresholds": {"acme": {"r2_min": 0.5}}}}),
        ("evaluation.primary_metric", {"evaluation": {"primary_metric": "far"}}),
    ):
        settings_class.cache_clear()
        assert "ImportError: no engine here" in _problem_at(path, overrides).values["reason"]
    for name in ("TRAFFIC_MODELS__ACME__TUNE", "TRAFFIC_EVALUATION__THRESHOLDS__ACME__R2_MIN"):
        settings_class.cache_clear()
        assert "ImportError: no engine here" in _problem_at(name, {}, {name: "1"}).values["reason"]


@pytest.mark.parametrize(
    ("point", "source", "code", "values"),
    [
        (
            "bias",
            METRIC.replace('"far"', '"bias"'),
            "plugins.built-in-name",
            {"name": "bias", "taken": list(TAKEN_METRIC_NAMES)},
        ),
        ("far", f"{ALGORITHM}\nFAR = ACME", "plugins.wrong-kind", {"kind": "Metric", "given": "of type Algorithm"}),
    ],
)
def test_a_broken_metric_is_left_out_with_a_warning(
    install: Install, point: str, source: str, code: str, values: dict[str, Any]
) -> None:
    install("acme-metrics", source, {METRIC_GROUP: {point: "FAR"}})
    with pytest.warns(PluginWarning) as warned:
        load_settings("local", {}, {})
    text = _warning(warned)
    assert (text.code, text.values) == (code, {**values, "plugin": text.values["plugin"]})


def test_a_metric_that_raises_at_import_is_left_out(install: Install) -> None:
    install("acme-metrics", METRIC.replace('"high"', '"more"'), {METRIC_GROUP: {"far": "FAR"}})
    with pytest.warns(PluginWarning) as warned:
        load_settings("local", {}, {})
    text = _warning(warned)
    assert text.code == "plugins.import-failed"
    assert "'more'" in text.values["error"]


def test_of_two_packages_with_one_name_neither_is_taken(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    install("other-models", ALGORITHM, ACME)
    with pytest.warns(PluginWarning) as warned:
        assert "acme" not in load_settings("local", {}, {}).enabled_models
    text = _warning(warned)
    assert text.code == "plugins.duplicate-name"
    assert (text.values["name"], text.values["packages"]) == ("acme", ["acme-models", "other-models"])
    assert [p.distribution for p in plugins(ALGORITHM_GROUP)] == ["acme-models", "other-models"]


def test_a_plugin_with_a_built_in_name_does_not_change_errors_about_the_built_in_model(install: Install) -> None:
    code = f"{ALGORITHM}\nACME = algorithm('random_forest')"
    install("acme-models", code, {ALGORITHM_GROUP: {"random_forest": "ACME"}})
    text = _problem_at("models.random_forest.tuned", {"models": {"random_forest": {"tuned": True}}})
    assert (text.code, text.values["suggestion"]) == ("settings.misspelled-key", "tune")


def test_a_broken_plugin_does_not_affect_another(install: Install) -> None:
    install("acme-models", ALGORITHM, ACME)
    install("bad-models", BROKEN, {ALGORITHM_GROUP: {"bad": "BAD"}})
    with pytest.warns(PluginWarning) as warned:
        assert "acme" in load_settings("local", {}, {}).enabled_models
    assert _warning(warned).values["plugin"].startswith("bad of bad-models 2.1 ")


def test_a_section_that_overrides_an_old_method_is_left_out_by_name(install: Install) -> None:
    override = f"{SECTION}    def requested(self, given):\n        return Knobs(depth=7)\n\n"
    install("acme-models", ALGORITHM.replace(SECTION, override), ACME)
    with pytest.warns(PluginWarning):
        assert "acme" not in load_settings("local", environ={}).enabled_models
    (plugin,) = plugins(ALGORITHM_GROUP)
    assert plugin.problem is not None
    assert plugin.problem.code == "plugins.overrides-old-method"
    assert plugin.problem.values["attribute"] == "Section.requested"
