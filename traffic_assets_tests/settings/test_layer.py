"""Layers of the settings, merged mapping by mapping."""

from typing import Any

from traffic_assets.settings.layer import Layer, find_origin, merge, merge_layers


def test_merge_goes_as_deep_as_both_have_mappings_and_changes_neither() -> None:
    base: dict[str, Any] = {"a": {"b": 1, "c": {"d": 2}}, "e": [1, 2], "f": {"g": 3}}
    top: dict[str, Any] = {"a": {"c": {"d": 20}}, "e": [3], "f": None, "h": {"i": 4}}
    assert merge(base, top) == {"a": {"b": 1, "c": {"d": 20}}, "e": [3], "f": None, "h": {"i": 4}}
    assert base == {"a": {"b": 1, "c": {"d": 2}}, "e": [1, 2], "f": {"g": 3}}
    assert merge({"a": 5}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_the_origin_of_a_value_is_that_of_the_layer_that_set_it() -> None:
    base = Layer({"a": {"b": 1, "c": 2}}, origins={("a", "b"): ("old", "b"), ("a", "c"): ("old", "c")})
    merged = merge_layers(base, Layer({"a": {"c": 3}}))
    assert merged.content == {"a": {"b": 1, "c": 3}}
    assert find_origin(("a", "b", "0"), merged.origins) == ("old", "b", "0")
    assert find_origin(("a", "c"), merged.origins) == ("a", "c")
