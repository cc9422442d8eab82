"""Parameters as text: each kind, round trips, and what no store keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlatch.errors import BadInput
from flowlatch.model.params import choices_of, is_secret, kind_of, read_object, read_value, show_value
from flowlatch.model.run import Parameter


def parameter(annotation: str | None = None, default: Any = None) -> Parameter:
    """A parameter named p."""
    return Parameter(name="p", annotation=annotation, default=default)


@pytest.mark.parametrize(
    ("annotation", "default", "kind"),
    [
        ("int", None, "int"),
        (None, 10, "int"),
        (None, True, "bool"),
        (None, 0.5, "float"),
        (None, "x", "str"),
        (None, [1], "json"),
        (None, None, "any"),
        ("eu|us", None, "choice"),
        ("Frobnicate", None, "any"),
    ],
)
def test_kinds(annotation: str | None, default: Any, kind: str) -> None:
    assert kind_of(parameter(annotation, default)) == kind


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int", "10", 10),
        ("int", " -3 ", -3),
        ("int", "123456789012345678901234567890", 123456789012345678901234567890),
        ("float", "1", 1.0),
        ("float", ".5e3", 500.0),
        ("bool", "Yes", True),
        ("bool", "false", False),
        ("date", "2026-12-01", "2026-12-01"),
        ("datetime", "2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
        ("json", '{"a": [1, null]}', {"a": [1, None]}),
        ("str", "10", "10"),
        ("str", " spaces ", " spaces "),
        ("str", '"a\\nb"', "a\nb"),
        ("str", '""', ""),
        ("eu|us", "us", "us"),
        (None, "10", 10),
        (None, "plain words", "plain words"),
        (None, "null", None),
        (None, '"10"', "10"),
    ],
)
def test_reads(annotation: str | None, text: str, value: Any) -> None:
    assert read_value(parameter(annotation), text) == value
    assert type(read_value(parameter(annotation), text)) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "part"),
    [
        ("int", "ten", "expected an integer"),
        ("int", "1.5", "expected an integer"),
        ("int", "１０", "expected an integer"),
        ("int", "9" * 5000, "expected an integer"),
        ("float", "nan", "expected a number"),
        ("float", "1e999", "expected a number"),
        ("bool", "maybe", "expected true or false"),
        ("date", "2026-02-30", "expected a date"),
        ("datetime", "tomorrow", "expected date and time"),
        ("json", "{", "line 1, column 2"),
        ("json", "NaN", "NaN"),
        ("json", "[" * 100 + "]" * 100, "deeper than 64"),
        ("json", '"\\ud800"', "surrogate"),
        ("json", '{"a\\u0000": 1}', "NUL"),
        ("str", '"half', "JSON string"),
        ("str", "a\x00b", "NUL"),
        ("eu|us", "apac", "one of eu, us"),
    ],
)
def test_refuses(annotation: str | None, text: str, part: str) -> None:
    with pytest.raises(BadInput, match=part) as caught:
        read_value(parameter(annotation), text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "3", '{"a": 1', "null", "[" * 100_000, '{"a": Infinity}', "\ufeff{}"])
def test_only_objects_are_parameters(text: str) -> None:
    with pytest.raises(BadInput):
        read_object(text)


def test_an_object_keeps_order_and_big_numbers() -> None:
    values = read_object('{"b": 12345678901234567890123, "a": 1}')
    assert list(values.items()) == [("b", 12345678901234567890123), ("a", 1)]


def test_over_a_megabyte_is_refused() -> None:
    with pytest.raises(BadInput, match="over 1 MB"):
        read_object('{"a": "' + "x" * (1024 * 1024) + '"}')


SAFE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | SAFE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAFE, inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_what_is_shown_reads_as_the_same_value(value: Any) -> None:
    text = show_value(value)
    assert text.isprintable()
    assert read_value(parameter(), text) == value


@given(SAFE)
def test_a_text_is_shown_and_read_as_the_same_text(value: str) -> None:
    shown = show_value(value, parameter("str"))
    assert shown.isprintable()
    assert read_value(parameter("str"), shown) == value


def test_secrets_by_name() -> None:
    assert is_secret("db_password")
    assert is_secret("API_KEY")
    assert not is_secret("day")
    assert choices_of(parameter("eu|us|apac")) == ["eu", "us", "apac"]
    assert choices_of(parameter("str")) == []
