"""The layout of the main screens: drawn again from the real dashboard, they look as in `screenshots/`.

Where a change is wanted: look at it, then `make screenshots`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.screenshots import draw, file_name
from tests.support.scenes import SCENES
from tests.support.sources import ROOT
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
