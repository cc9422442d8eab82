"""Nothing that could act on a terminal or fool an eye passes `clean`. Source: reliability.md §4."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowlatch.text import CELL_LIMIT, DETAIL_LIMIT, MAX_COMBINING, clean, one_line
from tests.support.hostile import ESCAPES, HOSTILE

INVISIBLE = {0x61C, 0x115F, 0x1160, 0x180E, 0x3164, 0xFEFF, 0xFFA0, 0xAD}
INVISIBLE |= {*range(0x200B, 0x200D), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070)}
INVISIBLE |= {*range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080), *range(0xFDD0, 0xFDF0)}
JOINERS = "\u200d\ufe0f"


def forbidden(text: str, *, multiline: bool = False) -> list[str]:
    """Return what in `text` a terminal could obey or an eye could not see."""
    return [
        f"U+{ord(char):04X}"
        for char in text
        if not (multiline and char == "\n")
        and char not in JOINERS
        and (
            ord(char) < 0x20
            or 0x7F <= ord(char) < 0xA0
            or ord(char) in INVISIBLE
            or ord(char) & 0xFFFE == 0xFFFE
            or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        )
    ]


SPECIAL = st.sampled_from(
    sorted({*"".join(HOSTILE.values())} | {chr(code) for code in INVISIBLE} | {*JOINERS, "❤", "👩"})
)
TEXTS = st.one_of(
    st.text(st.one_of(SPECIAL, st.characters())),
    st.text(st.sampled_from("aé\u0301\u0300\u0489\u200d\ufe0f👩❤\x1b\n\t ")),
    st.sampled_from(sorted(HOSTILE.values())),
)


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("", ""),
        ("daily-load_2026", "daily-load_2026"),
        ("\x1b[2J", "␛[2J"),
        ("a\x00b\x7f", "a␀b␡"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("a\tb", "a b"),
        ("a\r\nb", "a␍␊b"),
        ("safe\u202egnp", "safe⟨U+202E⟩gnp"),
        ("ad\u200bmin", "ad⟨U+200B⟩min"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("[bold]x[/]", "[bold]x[/]"),
        ("日本語 שלום", "日本語 שלום"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("é\u0301" * 2, "é\u0301" * 2),
        (12, "12"),
        (None, "None"),
    ],
)
def test_clean_turns_each_kind_into_what_can_be_seen(raw: object, safe: str) -> None:
    assert clean(raw) == safe


def test_line_feeds_stay_only_where_lines_are_shown() -> None:
    assert clean("a\nb", multiline=True) == "a\nb"
    assert clean("a\nb") == "a␊b"
    assert one_line("a\n  b\tc ") == "a b c"


def test_a_long_text_ends_in_an_ellipsis_within_the_limit() -> None:
    assert clean("x" * 500) == "x" * (CELL_LIMIT - 1) + "…"
    assert clean("x" * CELL_LIMIT) == "x" * CELL_LIMIT
    assert len(clean("\u202e" * 500)) == CELL_LIMIT
    assert len(clean("x" * 2_000_000, DETAIL_LIMIT)) == DETAIL_LIMIT


def test_marks_do_not_pile_up() -> None:
    assert clean("Z" + "\u0301" * 60) == "Z" + "\u0301" * MAX_COMBINING


@pytest.mark.parametrize("raw", ESCAPES.values(), ids=ESCAPES.keys())
def test_the_check_itself_sees_every_escape(raw: str) -> None:
    assert forbidden(raw)


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_hostile_text_passes(raw: str) -> None:
    assert not forbidden(clean(raw))
    assert not forbidden(clean(raw, DETAIL_LIMIT, multiline=True), multiline=True)
    assert not forbidden(one_line(raw))


@settings(max_examples=400)
@example(raw="\ufe00\u200d\u23b4", limit=10, multiline=False)
@example(raw="a\ufe0f\u200d\u23b4", limit=20, multiline=False)
@given(raw=TEXTS, limit=st.integers(1, 300), multiline=st.booleans())
def test_whatever_comes_in_nothing_forbidden_comes_out(raw: str, limit: int, multiline: bool) -> None:
    safe = clean(raw, limit, multiline=multiline)
    assert not forbidden(safe, multiline=multiline)
    assert len(safe) <= limit
    safe.encode()  # a lone surrogate would fail here
    assert clean(safe, limit, multiline=multiline) == safe


@settings(max_examples=200)
@given(raw=TEXTS)
def test_joiners_stay_only_inside_emoji(raw: str) -> None:
    safe = clean(raw, 10_000)
    for index, char in enumerate(safe):
        if char in JOINERS:
            assert index > 0
            assert ord(safe[index - 1]) > 0x7F or safe[index - 1] in "#*0123456789"


@settings(max_examples=200)
@given(raw=TEXTS)
def test_one_line_is_one_line(raw: str) -> None:
    assert "\n" not in one_line(raw)
    assert not forbidden(one_line(raw))
