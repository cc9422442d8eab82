"""Pictures of the screen: Textual's SVG made self-contained, the same as PNG, and as plain text."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from rich.cells import split_graphemes
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME, TerminalTheme
from textual.app import App

FONT = "DejaVu Sans Mono"
PLACES = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu-sans-mono-fonts",
    "/usr/share/fonts/TTF",
    "/Library/Fonts",
)
FILES = ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf")
ZOOM = 1.0
CELL = 12.2
"""Width of a cell in Rich's pictures."""
BEYOND = "\u2e80"
"""From here on `FONT` has no letters; other fonts have another width, also for those of one cell."""
WIDE = ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",)
"""Fonts for letters that `FONT` lacks, used where they are installed."""


XTERM = [
    *[(0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)],
    *[(127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0)],
    *[(92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255)],
]
"""The 16 colours of xterm."""


class FontMissing(Exception):
    """No font to draw with; the message says what to install."""


@cache
def fonts() -> tuple[str, ...]:
    """Return the files of the font, regular and bold. Raises `FontMissing`."""
    found = [Path(place) / name for place in PLACES for name in FILES if (Path(place) / name).is_file()]
    if not found and shutil.which("fc-list"):
        listed = subprocess.run(["fc-list", FONT, "file"], capture_output=True, text=True, check=False).stdout
        found = [Path(line.split(":")[0]) for line in listed.splitlines() if Path(line.split(":")[0]).name in FILES]
    if not found:
        raise FontMissing(f"no font {FONT}: install it (Debian: apt-get install fonts-dejavu-core)")
    return tuple(str(path) for path in found)


BLACK = TerminalTheme((0, 0, 0), (229, 229, 229), XTERM[:8], XTERM[8:])
WHITE = TerminalTheme((255, 255, 255), (0, 0, 0), XTERM[:8], XTERM[8:])


def svg_of(app: App[Any], title: str, *, is_white: bool = False) -> str:
    """Return what the application shows, as SVG that needs nothing from elsewhere.

    The terminal's own colours, where it uses them, are those of xterm on black, or on white.
    """
    width, height = app.size
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor",
                      record=True, legacy_windows=False, safe_box=False)  # fmt: skip
    console.print(app.screen._compositor.render_update(full=True, screen_stack=app._background_screens, simplify=True))
    own = BLACK if app.current_theme.ansi else SVG_EXPORT_THEME
    svg = console.export_svg(title=title, theme=WHITE if is_white else own)
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family:[^;}]+", f"font-family: {FONT}, monospace", svg)
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    svg = re.sub(
        r'<text class="([^"]*)" x="([\d.]+)" (y="[^"]*") textLength="[\d.]+" ([^>]*)>(.*?)</text>', _in_cells, svg
    )
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def _in_cells(found: re.Match[str]) -> str:
    """Give each letter that is no plain one its own place, so that no font can move what follows it."""
    look, start, line, more, content = found.groups()
    text, at = html.unescape(content), float(start)
    letters, _ = split_graphemes(text)
    if all(_is_plain(text[begin:end], cells) for begin, end, cells in letters):
        return found.group()
    pieces: list[tuple[str, int]] = []
    was_plain = False
    for begin, end, cells in letters:
        letter = text[begin:end]
        is_plain = _is_plain(letter, cells)
        if is_plain and was_plain:
            pieces[-1] = (pieces[-1][0] + letter, pieces[-1][1] + cells)
        else:
            pieces.append((letter, cells))
        was_plain = is_plain
    drawn = ""
    for piece, cells in pieces:
        escaped = html.escape(piece).replace(" ", "&#160;")
        width = round(CELL * cells, 1)
        if piece:
            drawn += f'<text class="{look}" x="{at:g}" {line} textLength="{width:g}" {more}>{escaped}</text>'
            at = round(at + width, 1)
    return drawn


def _is_plain(letter: str, cells: int) -> bool:
    """True for one character, one cell wide, that `FONT` draws one cell wide: not combined, no other font's."""
    return cells == 1 and len(letter) == 1 and letter < BEYOND


def png_of(svg: str) -> bytes:
    """Return the picture as PNG. Raises `FontMissing`."""
    import resvg_py

    drawn = resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=ZOOM,
        font_files=[*fonts(), *(path for path in WIDE if Path(path).is_file())],
        monospace_family=FONT,
        skip_system_fonts=True,
    )
    return bytes(drawn)


def text_of(app: App[Any]) -> str:
    """Return what the application shows, as lines of text."""
    lines: dict[float, list[tuple[float, str]]] = {}
    pattern = r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>'
    for x, y, content in re.findall(pattern, app.export_screenshot(), re.DOTALL):
        lines.setdefault(float(y), []).append((float(x), html.unescape(content).replace("\xa0", " ").rstrip("\n")))
    return "\n".join("".join(part for _, part in sorted(lines[y])) for y in sorted(lines))
