"""Words on a screen that are asked to be shown again and again, and are seldom others."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


def show_words(shown: Static, words: Content) -> None:
    """Show `words` where they differ from what stands there, by a layout, which paints all, only where they need it."""
    old = shown.content
    if isinstance(old, Content) and old.is_same(words):
        return
    shown.update(words, layout=not _fits(words, shown))


def _fits(words: Content, shown: Static) -> bool:
    """Return whether `words` take just the cells that `shown` has; False for one that has none yet."""
    size, styles = shown.content_size, shown.styles
    if not size:
        return False
    if styles.is_auto_width and words.get_optimal_width(styles.get_rules(), size.width) != size.width:
        return False
    return not styles.is_auto_height or words.get_height(styles.get_rules(), size.width) == size.height
