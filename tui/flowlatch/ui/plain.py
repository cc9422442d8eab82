"""The look without colour (`NO_COLOR`): what colours say elsewhere is said by bold, dim and reversed text.

One theme says in shades of grey what a colour means, and the last filter turns shades into those three. So no colour
code leaves this program, and the terminal's own colours are kept. Source: https://no-color.org, ux.md row 65.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from flowlatch.ui.themes import DARK

_GROUND, _DIM, _TEXT, _BOLD = "#000000", "#505050", "#b0b0b0", "#ffffff"
_BRIGHT_GROUND = 100
"""From this brightness (0–255) on a ground is drawn reversed."""
_DIM_BELOW, _BOLD_FROM = 100, 240

PLAIN = Theme(
    name="no-color",
    primary=_TEXT,
    secondary=_TEXT,
    accent=_BOLD,
    warning=_BOLD,
    error=_BOLD,
    success=_TEXT,
    foreground=_TEXT,
    background=_GROUND,
    surface=_GROUND,
    panel=_GROUND,
    boost=_GROUND,
    dark=True,
    variables={
        **dict.fromkeys(DARK.variables, _TEXT),
        "state-failed": _BOLD,
        "state-late": _BOLD,
        "faint": _DIM,
        "rule": _DIM,
        "cursor": _BOLD,
        "cursor-text": _GROUND,
        "mark": _BOLD,
        "changed": _BOLD,
        "bad": _BOLD,
        "bad-text": _GROUND,
        "footer-key-foreground": _BOLD,
        "input-cursor-background": "transparent",
        "input-cursor-foreground": _TEXT,
        "input-cursor-text-style": "reverse",
        "input-selection-background": _BOLD,
        "input-selection-foreground": _GROUND,
        "screen-selection-background": _BOLD,
        "screen-selection-foreground": _GROUND,
        "block-cursor-background": _BOLD,
        "block-cursor-foreground": _GROUND,
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": _DIM,
        "block-cursor-blurred-foreground": _TEXT,
        "block-hover-background": _GROUND,
        "border": _TEXT,
        "border-blurred": _DIM,
    },
)


class Shades(LineFilter):
    """Turns shades of grey into bold, dim and reversed text without any colour."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colours."""
        return [Segment(text, style and _without_colour(style), control) for text, style, control in segments]


@lru_cache(2048)
def _without_colour(style: Style) -> Style:
    """Return a style's attributes, and those that its colours stand for."""
    is_bright = style.bgcolor is not None and _brightness(style.bgcolor) >= _BRIGHT_GROUND
    shade = None if is_bright or style.color is None or style.color.is_default else _brightness(style.color)
    return Style(
        bold=style.bold or (shade is not None and shade >= _BOLD_FROM) or None,
        dim=style.dim or (shade is not None and shade < _DIM_BELOW) or None,
        italic=style.italic,
        underline=style.underline,
        strike=style.strike,
        reverse=(is_bright != bool(style.reverse)) or None,
        meta=style.meta,
    )


def _brightness(colour: RichColor) -> float:
    if colour.is_default:
        return 0
    red, green, blue = colour.get_truecolor()
    return 0.3 * red + 0.59 * green + 0.11 * blue
