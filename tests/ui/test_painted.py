"""What goes out to the terminal: only cells that differ, and afterwards it shows what it would have shown anyway."""

from __future__ import annotations

import random

import pyte
import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from flowlatch.ui.painted import Painted

WIDTH, HEIGHT, CUT = 24, 4, 11
LOOKS = [None, Style.parse("bold red"), Style.parse("white on blue"), Style.parse("underline")]
CONSOLE = Console(color_system="truecolor", force_terminal=True)


def piece(dice: random.Random, width: int) -> Strip:
    """Return a strip of random text in random looks."""
    texts = ("".join(dice.choices("ab 漢字é-", k=dice.randint(1, 9))) for _ in range(dice.randint(0, 6)))
    return Strip([Segment(text, dice.choice(LOOKS)) for text in texts]).adjust_cell_length(width)


def drawn(dice: random.Random) -> list[tuple[Strip, Strip]]:
    """Return a screen of lines, each of two widgets side by side."""
    return [(piece(dice, CUT), piece(dice, WIDTH - CUT)) for _ in range(HEIGHT)]


class Glass:
    """A terminal."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self.screen)
        self.written = ""

    def feed(self, text: str) -> None:
        self.written = text
        self._stream.feed(text)

    @property
    def cells(self) -> list[list[tuple[object, ...]]]:
        return [[tuple(self.screen.buffer[y][x]) for x in range(WIDTH)] for y in range(HEIGHT)]


def whole(lines: list[tuple[Strip, Strip]]) -> LayoutUpdate:
    return LayoutUpdate([list(line) for line in lines], Region(0, 0, WIDTH, HEIGHT))


def part(lines: list[tuple[Strip, Strip]], spans: list[tuple[int, int, int]]) -> ChopsUpdate:
    chops = [dict(zip((0, CUT), line, strict=True)) for line in lines]
    return ChopsUpdate(chops, spans, [[CUT, WIDTH]] * HEIGHT)


def send(painted: Painted, update: LayoutUpdate | ChopsUpdate, glass: Glass) -> None:
    changes = painted.changes(update, ColorSystem.TRUECOLOR)
    glass.feed(changes.render_segments(CONSOLE) if changes else "")


def seen(lines: list[tuple[Strip, Strip]]) -> list[list[tuple[object, ...]]]:
    glass = Glass()
    glass.feed(whole(lines).render_segments(CONSOLE).replace("\n", ""))
    return glass.cells


@pytest.mark.parametrize("seed", range(40))
def test_the_terminal_shows_what_was_drawn(seed: int) -> None:
    dice, painted, glass = random.Random(seed), Painted(), Glass()
    for _ in range(5):
        lines = drawn(dice)
        everywhere = [(y, 0, WIDTH) for y in range(HEIGHT)]
        send(painted, whole(lines) if dice.random() < 0.5 else part(lines, everywhere), glass)
        assert glass.cells == seen(lines)


def test_what_it_shows_already_is_not_written() -> None:
    painted, glass, lines = Painted(), Glass(), drawn(random.Random(1))
    send(painted, whole(lines), glass)
    send(painted, part(lines, [(1, 3, 20)]), glass)
    assert glass.written == ""
    painted.forget()
    send(painted, whole(lines), glass)
    assert glass.written
    assert glass.cells == seen(lines)


def test_one_changed_cell_costs_one_cell() -> None:
    painted, glass = Painted(), Glass()
    before = [(Strip([Segment("a" * CUT)]), Strip([Segment("b" * (WIDTH - CUT))]))] * HEIGHT
    after = [*before[:2], (before[0][0], Strip([Segment("bbbb"), Segment("X", LOOKS[1]), Segment("b" * 8)])), before[3]]
    send(painted, whole(before), glass)
    send(painted, part(after, [(2, CUT + 4, CUT + 5)]), glass)
    assert glass.written == f"\x1b[3;{CUT + 5}H\x1b[0;1;31mX\x1b[0m"


def test_half_a_wide_character_is_not_taken_for_a_whole_one() -> None:
    painted, glass = Painted(), Glass()
    wide = [(Strip([Segment("漢" * 5 + " ")]), Strip([Segment("b" * (WIDTH - CUT))]))] * HEIGHT
    send(painted, whole(wide), glass)
    holed = [(Strip([Segment("漢 x漢漢漢 ")]), wide[0][1]), *wide[1:]]
    send(painted, part(holed, [(0, 3, 4)]), glass)
    send(painted, part(holed, [(0, 0, WIDTH)]), glass)
    assert glass.cells == seen(holed)
