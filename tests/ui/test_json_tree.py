"""JSON as lines: what is written, folded, masked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlatch.ui.widgets import json_tree
from tests.support.hostile import HOSTILE

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('ab["', max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)


def written(value: Any, folded: set[json_tree.Path] | None = None, *, revealed: bool = False) -> str:
    """Return the lines as text, without the notes."""
    lines = json_tree.nodes(value, folded or set(), revealed=revealed)
    return "\n".join("  " * n.depth + (f"{n.name}: " if n.name else "") + n.text + n.end for n in lines)


@given(JSON)
def test_what_is_shown_is_the_json_itself(value: Any) -> None:
    assert written(value, revealed=True) == json.dumps(value, ensure_ascii=False, indent=2)


def test_a_folded_value_is_one_line_that_says_how_much_is_in_it() -> None:
    lines = json_tree.nodes({"a": [1, 2, 3], "b": {"c": 1}}, {("a",), ("b",)})
    assert [(node.name, node.text, node.note) for node in lines[1:-1]] == [
        ('"a"', "[…]", "3 items"),
        ('"b"', "{…}", "1 keys"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "PASSWD",
        "secret",
        "api_key",
        "apiKey",
        "key",
        "my-key",
        "auth",
        "authorization",
        "access_token",
    ],
)
def test_secrets_are_masked_by_name(name: str) -> None:
    assert "canary" not in written({name: "canary", "list": [{name: {"deep": ["canary"]}}]})
    assert written({name: "canary"}, revealed=True).count("canary") == 1


@pytest.mark.parametrize("name", ["day", "monkey", "keyboard", "author", "idempotency_key", "cache_key"])
def test_other_names_are_shown(name: str) -> None:
    assert "shown" in written({name: "shown"})


def test_an_empty_secret_is_shown_as_empty() -> None:
    assert written({"token": None, "secret": ""}) == '{\n  "token": null,\n  "secret": ""\n}'


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_keys_and_values_stay_printable_on_their_line(text: str) -> None:
    for node in json_tree.nodes({text: text, "list": [text]}, set()):
        shown = node.name + node.text
        assert shown.replace("\u200d", "").replace("\ufe0f", "").isprintable(), repr(shown)
        assert len(shown) < 13_000


def test_a_value_nested_thousands_deep_is_shown_and_listed() -> None:
    value: Any = 1
    for _ in range(5_000):
        value = [value]
    assert len(json_tree.nodes(value, set())) == 10_001
    assert len(json_tree.containers(value)) == 4_999


def test_at_finds_parts_and_nothing() -> None:
    value = {"a": [{"b": 1}]}
    assert json_tree.at(value, ("a", 0, "b")) == 1
    assert json_tree.at(value, ("a", 9, "b")) is None
    assert json_tree.at(value, ("a", "x")) is None


def test_huge_numbers_are_shown() -> None:
    assert json_tree.scalar(10**5_000)[0].startswith("0x")
