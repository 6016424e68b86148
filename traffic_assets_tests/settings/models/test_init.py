"""Built-in models: a single list of names, from which sections, thresholds and algorithms follow."""

from traffic_assets.ml.algorithm import built_in_algorithms
from traffic_assets.settings.evaluation import ThresholdsByModel
from traffic_assets.settings.models import BUILT_IN, built_in_settings
from traffic_assets.settings.models.base import ModelSettings
from traffic_assets.settings.schema import ModelsSettings


def test_each_name_has_a_section_thresholds_and_an_algorithm_in_the_same_order() -> None:
    names = list(BUILT_IN)
    assert list(ModelsSettings.model_fields) == list(ThresholdsByModel.model_fields) == names
    assert list(built_in_algorithms()) == names
    for name, section in built_in_settings().items():
        assert issubclass(section, ModelSettings)
        assert section.__module__ == f"traffic_assets.settings.models.{name}"
        assert getattr(ThresholdsByModel(), name) == section.thresholds
        algorithm = built_in_algorithms()[name]
        assert (algorithm.name, algorithm.settings) == (name, section)


def test_the_ensemble_is_last_since_it_reads_the_settings_of_the_lanes_before_it() -> None:
    assert list(BUILT_IN)[-1] == "ensemble"
