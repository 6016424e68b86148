"""Params of estimators: the types that they convert to, and the values that they refuse."""

from typing import Any

import pytest

from traffic_assets.ml.estimators.params import Columns, any_param, float_param, int_param, text_param


class Example(Columns):
    text = text_param("text", "a text")
    integer = int_param("integer", "an integer")
    number = float_param("number", "a number")
    value = any_param("value", "any JSON value")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "rbf", "rbf"),
        ("integer", 3.0, 3),
        ("number", 2, 2.0),
        ("value", {"svr": [1, None]}, {"svr": [1, None]}),
    ],
)
def test_a_value_is_converted_to_the_type_of_its_param(name: str, value: Any, expected: Any) -> None:
    example = Example()
    example._set(**{name: value})
    converted: Any = example.getOrDefault(name)
    assert (converted, type(converted)) == (expected, type(expected))


@pytest.mark.parametrize(("name", "value"), [("text", 5), ("integer", 2.5), ("integer", "2"), ("number", "2")])
def test_a_value_of_another_type_is_refused_by_the_name_of_the_param(name: str, value: Any) -> None:
    example = Example()
    with pytest.raises(TypeError, match=f'"{name}"'):
        example._set(**{name: value})
    assert not example.isSet(name)


def test_each_instance_has_its_own_params() -> None:
    one, other = Example(), Example()
    one._set(integer=5)
    assert one.integer.parent == one.uid != other.uid == other.integer.parent
    assert not other.isSet("integer")
