"""Draw every screen from the real application on a seeded real server: `python -m tests.screenshots`.

Writes `screenshots/SCREEN-WIDTHxHEIGHT-LOOK.svg`, for the dark theme also `.png`, and a `README.md` that shows them.
Seed, clock, names and keys are fixed, so the same code draws the same picture. `--only WORD` draws the screens whose
name contains it, `--to DIR` writes elsewhere, `--png` writes each as PNG too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.pictures import FontMissing, fonts, png_of, svg_of
from tests.support.scenes import SCENES, Scene
from tests.support.sources import ROOT
from tests.support.theatre import PORT, House, house, opened

SIZES = ((80, 24), (120, 40))
HUGE = (200, 60)
THEMES = ("dark", "light", "terminal")
"""What every screen is drawn in; `terminal` are the terminal's own 16 colours, on black."""
MORE_THEMES = ("high-contrast", "colour-blind", "terminal-white")
"""What the main screens are drawn in too."""
PLAIN = "no-color"
"""The look under NO_COLOR, of every screen."""


def main() -> None:
    """Draw what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--only", default="", help="only screens whose file name contains this")
    parser.add_argument("--to", type=Path, default=ROOT / "screenshots", help="directory (screenshots)")
    parser.add_argument("--png", action="store_true", help="write every picture as PNG too")
    arguments = parser.parse_args()
    try:
        fonts()
    except FontMissing as error:
        sys.exit(f"cannot draw: {error}")
    arguments.to.mkdir(parents=True, exist_ok=True)
    with house() as made:
        for name, size, looks in wanted(arguments.only):
            for look, svg in asyncio.run(draw(made, SCENES[name], size, looks)).items():
                file = arguments.to / file_name(name, size, look)
                file.with_suffix(".svg").write_text(svg, "utf-8")
                if arguments.png or look == "dark":
                    file.with_suffix(".png").write_bytes(png_of(svg))
                print(file.name, flush=True)
    (arguments.to / "README.md").write_text(index(arguments.to), "utf-8")


def file_name(name: str, size: tuple[int, int], look: str) -> str:
    """Return `runs-80x24-dark`."""
    return f"{name}-{size[0]}x{size[1]}-{look}"


def wanted(only: str = "") -> Iterator[tuple[str, tuple[int, int], list[str]]]:
    """Yield (scene, size, looks) of what shall be drawn; each is one start of the application."""
    for name, scene in SCENES.items():
        sizes = scene.sizes or (*SIZES, *([HUGE] if name in ("runs", "run") else []))
        for size in sizes:
            colours = [*THEMES, *(MORE_THEMES if scene.is_main and size in SIZES else [])]
            for looks in (colours, [PLAIN] if size in SIZES else []):
                chosen = [look for look in looks if only in file_name(name, size, look)]
                if chosen:
                    yield name, size, chosen


async def draw(made: House, scene: Scene, size: tuple[int, int], looks: list[str]) -> dict[str, str]:
    """Start the dashboard, bring one screen up, and return it as SVG in each look."""
    server = await asyncio.to_thread(made.server, afresh=scene.touches)
    is_plain = looks == [PLAIN]
    kept = {"token": scene.token, "has_toasts": scene.has_toasts, **scene.profile}
    async with opened(server, size, is_plain=is_plain, **kept) as stage:
        await stage.shows(scene.waits_for)
        await scene.play(stage)
        drawn = {}
        for look in looks:
            theme = {"terminal-white": "terminal"}.get(look, look)
            if stage.app.theme != theme:
                stage.app.theme = theme
            stage.app.screen.refresh()  # a dialog drawn once before the screen below it has kept black behind it
            await stage.pilot.pause()
            svg = svg_of(stage.app, "flowlatch", is_white=look == "terminal-white")
            drawn[look] = svg.replace(f":{made.port}", f":{PORT}")
        return drawn


def index(directory: Path) -> str:
    """Return the page that shows all pictures of a directory."""
    lines = [
        "# Every screen",
        "",
        "Drawn by `make screenshots` from the real dashboard on a real server with a fixed clock: here in the dark",
        "theme at 80×24; each name leads to the same screen larger, or in other colours.",
    ]
    for name, scene in SCENES.items():
        files = sorted(directory.glob(f"{name}-[0-9]*.svg"))
        if not files:
            continue
        first = next((file for file in files if file.stem.endswith("80x24-dark")), files[0])
        links = [f"[{file.stem.removeprefix(name + '-')}]({file.name})" for file in files]
        about = (scene.play.__doc__ or "").strip()
        lines += [
            "",
            f"## {name}",
            "",
            *([about, ""] if about else []),
            f"![{name}]({first.name})",
            "",
            " · ".join(links),
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
