"""The last line before the terminal: nothing that a terminal obeys leaves this program as text (reliability.md §4)."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from flowlatch.text import clean

_ASCII = str.maketrans(
    {
        "…": "~",
        "·": ".",
        "●": "*",
        "○": "o",
        "✗": "x",
        "Δ": "^",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "▾": "v",
        "▸": ">",
        "≠": "#",
        "×": "x",
        "–": "-",
        "—": "-",
        "«": "<",
        "»": ">",
    }
)
_LIMIT = 1 << 20


def to_ascii(text: str) -> str:
    """Return text of the same width in ASCII: lines and marks by their like, everything else `?`."""
    if text.isascii():
        return text
    return "".join(_plain(char) for char in text.translate(_ASCII))


def _plain(char: str) -> str:
    from rich.cells import cell_len

    if char.isascii():
        return char
    code = ord(char)
    if 0x2500 <= code < 0x2580:
        return "|" if char in "│┃║╎╏┆┇┊┋▏▕╵╷╹╻" else "-" if char in "─━═╌╍┄┅┈┉╴╶╸╺" else "+"
    if 0x2580 <= code < 0x25A0:
        return "#" if char in "█▉▊▋▌▐▇▆▅▓▒" else "."
    if 0x2400 <= code < 0x2440:
        return "?"
    return "?" * cell_len(char)


class LastLine(LineFilter):
    """Cleans every segment once more, and writes ASCII only where the terminal knows no better."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments, those with something unsafe in them replaced."""
        return [self._safe(segment) if self._is_suspect(segment) else segment for segment in segments]

    def _is_suspect(self, segment: Segment) -> bool:
        text = segment.text
        if segment.control or not text or (text.isascii() and text.isprintable()):
            return False
        return self._ascii_only or not text.isprintable() or clean(text, _LIMIT, multiline=True) != text

    def _safe(self, segment: Segment) -> Segment:
        text = "".join(char for char in segment.text if char == "\n" or clean(char, 4) == char or _joins(char))
        return Segment(to_ascii(text) if self._ascii_only else text, segment.style)


def _joins(char: str) -> bool:
    """True for the two invisible characters that hold an emoji sequence together."""
    return char in "\u200d\ufe0f"
