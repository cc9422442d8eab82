"""The names of the themes: plain data, known without the screen. Their colours stand in `flowlatch.ui.themes`."""

from __future__ import annotations

from flowlatch.text import one_line

DEFAULT_LOOK = "dark"
LOOKS = ("dark", "light", "high-contrast", "colour-blind", "terminal")
_SPELLINGS = {"color-blind": "colour-blind", "contrast": "high-contrast"}


def look_named(name: str) -> str | None:
    """Return a theme by its name or another spelling of it, None when there is none."""
    wanted = _SPELLINGS.get(name, name)
    return wanted if wanted in LOOKS else None


def unknown_look(name: str) -> str:
    """Return the line that says which themes there are."""
    return f"{one_line(name, 40)!r} is unknown; known: {', '.join(LOOKS)}"
