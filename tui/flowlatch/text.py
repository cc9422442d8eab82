"""Foreign text made safe to show, once, where it is shown or printed. Raw values stay raw for editing and writing.

A terminal obeys what it is sent: an escape sequence in a run's name could write the operator's clipboard, a bidi
override could make one name look like another. Source: reliability.md §4.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

CELL_LIMIT = 200
"""Characters of a table cell, title or toast."""
DETAIL_LIMIT = 64 * 1024
"""Characters of a detail view; the rest is shown on demand."""
MAX_COMBINING = 8

_CONTROL_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
_INVISIBLE = "\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028\u2029\u3164\ufeff\uffa0"
_SUSPECT = re.compile(
    "[\x00-\x1f\x7f-\x9f"
    + _INVISIBLE
    + "\u200c\u200d\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufe00-\ufe0f\ufff9-\ufffb\ufffe\uffff"
    + "\ud800-\udfff\U000e0000-\U000e01ef"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
    + "]|[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    + "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{9,}"
)
_ZWJ, _VS16 = "\u200d", "\ufe0f"


def clean(text: object, limit: int = CELL_LIMIT, *, multiline: bool = False) -> str:
    """Return `text` without anything that a terminal or an eye could be fooled by, at most `limit` characters.

    Control, bidi, zero-width and other invisible characters become a visible stand-in (`␛`, `⟨U+202E⟩`), a tab one
    space, more than 8 combining marks in a row are cut; ZWJ and VS16 stay inside an emoji sequence. Line feeds stay
    only when `multiline`. A cut text ends in `…`. Anything that is not text is turned into it first.
    """
    plain = text if isinstance(text, str) else str(text)
    cut = len(plain) > limit
    if cut:
        plain = plain[: max(limit - 1, 0)]
    if _SUSPECT.search(plain) or not plain.isprintable():
        plain = "".join(_safe(plain, multiline))
        if len(plain) > limit:
            plain, cut = plain[: max(limit - 1, 0)], True
    return plain + "…" if cut else plain


def _safe(text: str, multiline: bool) -> Iterator[str]:
    marks = 0
    for index, char in enumerate(text):
        if unicodedata.combining(char):
            marks += 1
            if marks <= MAX_COMBINING:
                yield char
            continue
        marks = 0
        yield _safe_char(text, index, char, multiline)


def _safe_char(text: str, index: int, char: str, multiline: bool) -> str:
    code = ord(char)
    if char == "\t":
        return " "
    if char == "\n" and multiline:
        return char
    if code in _CONTROL_PICTURES:
        return _CONTROL_PICTURES[code]
    if char in (_ZWJ, _VS16):
        return char if _is_in_emoji(text, index) else stand_in(char)
    if _SUSPECT.match(char) or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return stand_in(char)
    return char


def _is_in_emoji(text: str, index: int) -> bool:
    """True when a joiner or a variation selector stands behind a pictograph (and, for a joiner, before one)."""
    before = text[index - 1] if index else ""
    if text[index] == _VS16:
        return bool(before) and unicodedata.category(before) in ("So", "Po", "Nd", "Sm")
    after = text[index + 1] if index + 1 < len(text) else ""
    if not before or not after or unicodedata.category(after) != "So":
        return False
    return _is_in_emoji(text, index - 1) if before == _VS16 else unicodedata.category(before) in ("So", "Sk")


def stand_in(char: str) -> str:
    """Return the visible stand-in of a character that must not reach a terminal."""
    return f"⟨U+{ord(char):04X}⟩"


def one_line(text: object, limit: int = CELL_LIMIT) -> str:
    """Return `clean` text on one line: every run of white space, line feeds included, becomes one space."""
    plain = text if isinstance(text, str) else str(text)
    return clean(" ".join(plain[: limit * 4].split()) if plain else plain, limit)


def counted(number: int, what: str) -> str:
    """Return a number with its noun, e.g. `1 run`, `2 runs`; `what` is the singular."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
