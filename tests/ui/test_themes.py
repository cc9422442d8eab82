"""Every colour that carries words can be read on what it stands on, in each theme."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from flowlatch.ui.themes import DARK, LIGHT, TERMINAL, THEMES
from tests.support.pictures import XTERM

READABLE = 4.5
"""Contrast of text on its ground. Source: WCAG 2.2, success criterion 1.4.3."""
VISIBLE = 3.0
"""Contrast of what is drawn bold or beside a glyph. Source: WCAG 2.2, success criterion 1.4.11."""
GROUNDS = ("background", "surface", "cursor")
OWN_GROUNDS = [theme for theme in THEMES.values() if not theme.ansi]
ANSI = {
    f"ansi_{'bright_' if place >= 8 else ''}{name}": XTERM[place]
    for place, name in [
        (bright + number, name)
        for bright in (0, 8)
        for number, name in enumerate(("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"))
    ]
}


def luminance(red: float, green: float, blue: float) -> float:
    """Return the relative luminance of a colour whose parts are 0–255 (WCAG 2.2)."""
    parts = [part / 255 for part in (red, green, blue)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Return the contrast ratio of two colours, 1–21."""
    dark, light = sorted((luminance(*one), luminance(*other)))
    return (light + 0.05) / (dark + 0.05)


def colour(theme: Theme, name: str) -> tuple[int, int, int]:
    """Return a colour of a theme: one of its own, or a variable."""
    return Color.parse(theme.variables.get(name) or getattr(theme, name)).rgb


def text_colours(theme: Theme) -> list[str]:
    """Return the names of the colours that words are written in."""
    states = [name for name in theme.variables if name.startswith("state-")]
    return [*states, "muted", "mark", "changed", "foreground", "accent", "warning", "error", "success"]


def test_contrast_is_what_the_standard_says() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", OWN_GROUNDS, ids=lambda theme: theme.name)
def test_words_can_be_read_on_every_ground(theme: Theme) -> None:
    poor = {
        f"{name} on {ground}": round(contrast(colour(theme, name), colour(theme, ground)), 2)
        for name in text_colours(theme)
        for ground in GROUNDS
        if contrast(colour(theme, name), colour(theme, ground)) < READABLE
    }
    assert poor == {}
    assert contrast(colour(theme, "faint"), colour(theme, "background")) >= READABLE
    assert contrast(colour(theme, "cursor-text"), colour(theme, "cursor")) >= READABLE
    assert contrast(colour(theme, "bad-text"), colour(theme, "bad")) >= READABLE


@pytest.mark.parametrize("ground", [(0, 0, 0), (255, 255, 255)], ids=["black", "white"])
def test_the_terminals_own_colours_can_be_read_on_black_and_on_white(ground: tuple[int, int, int]) -> None:
    names = {name: str(TERMINAL.variables.get(name) or getattr(TERMINAL, name)) for name in text_colours(TERMINAL)}
    ours = {name: ansi for name, ansi in names.items() if ansi != "ansi_default"}
    assert {name for name, ansi in ours.items() if contrast(ANSI[ansi], ground) < VISIBLE} == set()
    assert {"state-failed", "state-late", "state-running", "accent"} <= set(ours)


@pytest.mark.parametrize("theme", [DARK, LIGHT, THEMES["high-contrast"], THEMES["colour-blind"]], ids=lambda t: t.name)
def test_what_needs_the_eye_does_not_look_like_what_does_not(theme: Theme) -> None:
    loud = {colour(theme, f"state-{name}") for name in ("failed", "late", "running")}
    calm = {colour(theme, f"state-{name}") for name in ("success", "scheduled", "cancelled")}
    assert len(loud) == 3
    assert not loud & calm


def test_every_theme_has_the_same_variables_of_ours() -> None:
    ours = {name for name in DARK.variables if name.startswith("state-")} | {"muted", "faint", "rule", "cursor", "bad"}
    for theme in THEMES.values():
        assert ours <= set(theme.variables), theme.name
