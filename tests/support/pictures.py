"""Pictures of the screen: Textual's SVG made self-contained, the same as PNG, and as plain text."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

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


def svg_of(app: App[object], title: str) -> str:
    """Return what the application shows, as SVG that needs nothing from elsewhere."""
    svg = app.export_screenshot(title=title)
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family:[^;}]+", f"font-family: {FONT}, monospace", svg)
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def png_of(svg: str) -> bytes:
    """Return the picture as PNG. Raises `FontMissing`."""
    import resvg_py

    drawn = resvg_py.svg_to_bytes(
        svg_string=svg, zoom=ZOOM, font_files=list(fonts()), monospace_family=FONT, skip_system_fonts=True
    )
    return bytes(drawn)


def text_of(app: App[object]) -> str:
    """Return what the application shows, as lines of text."""
    lines: dict[float, list[tuple[float, str]]] = {}
    pattern = r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>'
    for x, y, content in re.findall(pattern, app.export_screenshot(), re.DOTALL):
        lines.setdefault(float(y), []).append((float(x), html.unescape(content).replace("\xa0", " ").rstrip("\n")))
    return "\n".join("".join(part for _, part in sorted(lines[y])) for y in sorted(lines))
