"""Styles of what a widget draws by itself, line by line."""

from __future__ import annotations

from rich.style import Style
from textual.style import Style as VisualStyle
from textual.widget import Widget


def pen(widget: Widget, style: str) -> Style:
    """Return how `widget` looks with `style` on top, written as for `Content`: `$muted`, `$bad-text on $bad`.

    Not a component class of Textual's: all of those are matched with all rules again at each focus and each class.
    """
    return (widget.visual_style + VisualStyle.parse(style)).rich_style
