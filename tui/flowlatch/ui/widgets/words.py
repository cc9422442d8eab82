"""Words on a screen that are asked to be shown again and again, and are seldom others."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


def show_words(shown: Static, words: Content, *, is_line: bool = False) -> None:
    """Show `words` where they differ from what stands there: a layout repaints the whole screen.

    `is_line`: they never wrap, so that only another width asks for a layout.
    """
    old = shown.content
    if not isinstance(old, Content):
        shown.update(words)
    elif not old.is_same(words):
        shown.update(words, layout=not is_line or old.cell_length != words.cell_length)
