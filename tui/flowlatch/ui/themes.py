"""Five themes. State colours are variables, so a style sheet says `$state-failed` and never a colour.

Themes are calm: grey text on a quiet ground, one accent, colour only for states and for what needs the eye.
"""

from __future__ import annotations

from textual.theme import Theme


def _states(
    failed: str, late: str, running: str, waiting: str, success: str, cancelled: str, meta: str, unknown: str
) -> dict[str, str]:
    return {
        "state-failed": failed,
        "state-late": late,
        "state-running": running,
        "state-scheduled": waiting,
        "state-pending": waiting,
        "state-success": success,
        "state-cancelled": cancelled,
        "state-meta": meta,
        "state-unknown": unknown,
    }


def _look(
    muted: str, faint: str, rule: str, cursor: str, cursor_text: str, mark: str, changed: str, bad: str, bad_text: str
) -> dict[str, str]:
    """Variables of our own beside the states.

    muted: secondary text; faint: what is there only if looked for; rule: lines; cursor: the row one is on; mark: marked
    rows; changed: the Δ; bad and bad_text: the band that says OFFLINE or PROD.
    """
    return {
        "muted": muted,
        "faint": faint,
        "rule": rule,
        "cursor": cursor,
        "cursor-text": cursor_text,
        "mark": mark,
        "changed": changed,
        "bad": bad,
        "bad-text": bad_text,
    }


DARK = Theme(
    name="dark",
    primary="#7aa2c4",
    secondary="#5f8a8b",
    accent="#7fb4ca",
    warning="#d7a65f",
    error="#e07a72",
    success="#86ab7c",
    foreground="#c8ccd4",
    background="#15181d",
    surface="#1a1e24",
    panel="#20252d",
    dark=True,
    variables={
        **_states("#e07a72", "#dba65a", "#74b2de", "#9aa3b2", "#8bb87f", "#b093c9", "#7fb0ab", "#d0a3b8"),
        **_look("#919aa8", "#808997", "#343b46", "#26303c", "#ffffff", "#e3c06a", "#e3c06a", "#8c2f2f", "#ffe9e6"),
        "footer-key-foreground": "#7fb4ca",
        "input-selection-background": "#3b5168",
        "block-cursor-background": "#26303c",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "border": "#5b7a94",
        "border-blurred": "#343b46",
    },
)
LIGHT = Theme(
    name="light",
    primary="#2f6690",
    secondary="#3f7d7e",
    accent="#2f6690",
    warning="#875500",
    error="#b3261e",
    success="#2f6f33",
    foreground="#23272e",
    background="#fafaf7",
    surface="#f3f3ee",
    panel="#e9e9e2",
    dark=False,
    variables={
        **_states("#b3261e", "#875500", "#125a9c", "#565e69", "#2f6f33", "#6f3f94", "#1f6f6b", "#8a3a5e"),
        **_look("#565e69", "#686f79", "#cfcfc6", "#dbe6f0", "#101418", "#7a5600", "#7a5600", "#b3261e", "#ffffff"),
        "footer-key-foreground": "#2f6690",
        "block-cursor-background": "#dbe6f0",
        "block-cursor-foreground": "#101418",
        "block-cursor-text-style": "none",
        "border": "#2f6690",
        "border-blurred": "#cfcfc6",
    },
)
HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#6cc6ff",
    secondary="#6cc6ff",
    accent="#ffe14d",
    warning="#ffd24d",
    error="#ff6b5e",
    success="#6eff7a",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#101010",
    dark=True,
    variables={
        **_states("#ff7a6e", "#ffd24d", "#6cc6ff", "#ffffff", "#6eff7a", "#e5a8ff", "#5ff2e4", "#ff9fd0"),
        **_look("#e0e0e0", "#b0b0b0", "#8a8a8a", "#00306e", "#ffffff", "#ffe14d", "#ffe14d", "#ff3b30", "#000000"),
        "block-cursor-background": "#00306e",
        "block-cursor-foreground": "#ffffff",
        "border": "#ffffff",
        "border-blurred": "#b0b0b0",
    },
)
COLOUR_BLIND = Theme(
    name="colour-blind",
    primary="#56b4e9",
    secondary="#0072b2",
    accent="#56b4e9",
    warning="#e69f00",
    error="#e69f00",
    success="#56b4e9",
    foreground="#d5d9e0",
    background="#14171c",
    surface="#191d23",
    panel="#20252d",
    dark=True,
    variables={
        **_states("#f0902f", "#f5c242", "#f2f2f2", "#a5aebc", "#56b4e9", "#98a1ae", "#8fb3d3", "#d9d0c4"),
        **_look("#98a1ae", "#808997", "#363d48", "#20313f", "#ffffff", "#f5c242", "#f5c242", "#b35c00", "#ffffff"),
        "block-cursor-background": "#20313f",
        "block-cursor-foreground": "#ffffff",
        "border": "#56b4e9",
        "border-blurred": "#363d48",
    },
)
TERMINAL = Theme(
    name="terminal",
    ansi=True,
    primary="ansi_bright_blue",
    secondary="ansi_bright_blue",
    warning="ansi_magenta",
    error="ansi_red",
    success="ansi_default",
    accent="ansi_bright_blue",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        **_states(*("ansi_red", "ansi_magenta", "ansi_bright_blue", "ansi_default", "ansi_default"),
                  *("ansi_bright_black", "ansi_default", "ansi_magenta")),
        **_look(*("ansi_default", "ansi_bright_black", "ansi_bright_black", "ansi_blue", "ansi_bright_white"),
                *("ansi_magenta", "ansi_magenta", "ansi_red", "ansi_bright_white")),
        "block-cursor-background": "ansi_blue",
        "block-cursor-foreground": "ansi_bright_white",
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "footer-key-foreground": "ansi_default",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_bright_blue",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_bright_blue",
        "screen-selection-foreground": "ansi_black",
        "border": "ansi_bright_blue",
        "border-blurred": "ansi_bright_black",
    },
)  # fmt: skip
"""The terminal's own 16 colours: of those only the ones that can be read on black as well as on white."""
THEMES = {theme.name: theme for theme in (DARK, LIGHT, HIGH_CONTRAST, COLOUR_BLIND, TERMINAL)}
VARIABLES = tuple(DARK.variables)
