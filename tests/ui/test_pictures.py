"""The layout of the main screens: drawn again from the real dashboard, they look as in `screenshots/`.

Where a change is wanted: look at it, then `make screenshots`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from tests.screenshots import draw, file_name
from tests.support.pictures import CELL, svg_of
from tests.support.scenes import SCENES
from tests.support.sources import ROOT
from tests.support.stage import Stage
from tests.support.theatre import House, house

SMALL, LARGE = (80, 24), (120, 40)
CASES = [
    *((name, SMALL) for name in ("runs", "run", "new", "schedule", "edit", "help", "conflict")),
    *((name, LARGE) for name in ("runs", "run", "edit")),
]
pytestmark = pytest.mark.xdist_group("pictures")


def drawn(svg: str) -> list[str]:
    """Return what a picture shows, one line for each piece: where, in which colours, and the text."""
    looks = dict(re.findall(r"\.terminal-(r\d+) \{ ?([^}]*?) ?\}", svg))
    texts = re.findall(r'<text class="terminal-(r\d+)" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', svg)
    grounds = re.findall(r'<rect fill="([^"]+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', svg)
    return [
        *(f"{y} {x} {looks[look]}: {text}" for look, x, y, text in texts),
        *(f"{y} {x} ground {fill}, {width} wide" for fill, x, y, width in grounds),
    ]


@pytest.fixture(scope="module")
def theatre() -> Iterator[House]:
    """A seeded server for all pictures."""
    with house() as made:
        yield made


@pytest.mark.parametrize(("name", "size"), CASES, ids=lambda case: case if isinstance(case, str) else f"{case[0]}")
async def test_a_screen_looks_as_in_its_picture(theatre: House, name: str, size: tuple[int, int]) -> None:
    svg = (await draw(theatre, SCENES[name], size, ["dark"]))["dark"]
    picture = ROOT / "screenshots" / f"{file_name(name, size, 'dark')}.svg"
    now, before = drawn(svg), drawn(picture.read_text("utf-8"))
    assert len(now) > size[1]
    assert now == before


def test_a_difference_in_text_colour_or_place_is_seen() -> None:
    svg = next((ROOT / "screenshots").glob("runs-80x24-dark.svg")).read_text("utf-8")
    for one, other in (("Running", "Runnung"), ("#dba65a", "#dba65b"), ('y="44.4"', 'y="44.5"')):
        assert one in svg
        assert drawn(svg.replace(one, other)) != drawn(svg)


@pytest.mark.parametrize("name", ["e\u0301te\u0301", "日次", "ﾊﾝｶｸ-ｶﾅ", "emoji-🚀", "n\u0303andu\u0301 日 été"])
async def test_what_follows_a_letter_of_another_width_stands_at_its_column(name: str) -> None:
    app = Stage(lambda: Static(Content(f"{name} end"), markup=False))
    async with app.run_test(size=(40, 3)):
        svg = svg_of(app, "picture")
    pieces = re.findall(r'x="([\d.]+)" y="[\d.]+" textLength="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    x, width, text = next((float(x), float(width), text) for x, width, text in pieces if "end" in text)
    shown = html.unescape(text)
    assert round(x / CELL) + shown.index("end") == cell_len(name) + 1
    assert round(width / CELL) == len(shown)
