"""NO_COLOR: not one colour code is written, and what is selected can be seen all the same. Source: no-color.org."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from flowlatch.ui.launch import prepare
from flowlatch.ui.plain import PLAIN, Shades
from flowlatch.ui.themes import DARK
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess

START_S = 40.0
COLOURS = {*range(30, 50), *range(90, 108)}
"""Parameters of SGR that set a colour, or take one back. Source: ECMA-48 8.3.117, and aixterm's bright ones."""


def looks(raw: bytes) -> set[int]:
    """Return every parameter of every SGR sequence."""
    found = re.findall(rb"\x1b\[([0-9;:]*)m", raw)
    return {int(number) for sequence in found for number in re.split(rb"[;:]", sequence) if number}


def line_with(terminal: Terminal, text: str) -> int:
    """Return the first line of the screen that holds a text."""
    return next(number for number, line in enumerate(terminal.lines) if text in line)


def reversed_text(terminal: Terminal, line: int) -> str:
    """Return what is drawn reversed in a line of the screen."""
    row = terminal.screen.buffer[line]
    return "".join(row[column].data for column in range(terminal.screen.columns) if row[column].reverse)


@pytest.fixture(scope="module")
def few_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with three failed runs."""
    with ServerProcess(tmp_path_factory.mktemp("plain")) as server:
        wire = server.wire()
        flow = wire.create_flow("etl")
        for name in ("amber-lynx", "calm-otter", "odd-wren"):
            wire.set_state(wire.create_run(flow, flow_run_name=name), 1, "Failed", "no disk left")
        yield server


def test_the_shades_are_bold_dim_and_reversed() -> None:
    def shown(style: str) -> str:
        (segment,) = Shades().apply([Segment("x", Style.parse(style))], Color(0, 0, 0))
        return str(segment.style)

    assert shown("#ffffff on #000000") == "bold"
    assert shown("#b0b0b0 on #000000") == "none"
    assert shown("#505050 on #000000") == "dim"
    assert shown("#000000 on #ffffff") == "reverse"
    assert shown("bold #000000 on #ffffff") == "bold reverse"
    assert shown("reverse #000000 on #ffffff") == "none"
    assert set(DARK.variables) <= set(PLAIN.variables)


def test_an_empty_no_color_means_colours() -> None:
    environ = {"NO_COLOR": ""}
    prepare(environ)
    assert "NO_COLOR" not in environ
    environ = {"NO_COLOR": "0"}
    prepare(environ)
    assert environ["NO_COLOR"] == "0"


def test_no_colour_code_is_written_and_what_is_selected_is_reversed(few_runs: ServerProcess) -> None:
    env = few_runs.env(LANG="C.UTF-8", LC_ALL="C.UTF-8", NO_COLOR="1", COLORTERM="truecolor")
    with Terminal(flowlatch("--theme", "light"), columns=80, rows=24, env=env) as terminal:
        terminal.wait_for(lambda text: " live" in text and "amber-lynx" in text, START_S)
        selected, other = (line_with(terminal, name) for name in ("odd-wren", "amber-lynx"))
        assert "odd-wren" in reversed_text(terminal, selected)
        assert reversed_text(terminal, other) == ""
        terminal.press("j")
        terminal.wait_for(lambda _: "calm-otter" in reversed_text(terminal, line_with(terminal, "calm-otter")))
        terminal.press("e")
        terminal.wait_for("based on v2")
        terminal.wait_for(lambda _: "( ) Success" in reversed_text(terminal, line_with(terminal, "( ) Success")))
        terminal.press("tab")  # the cursor stands on the first letter: it is the one that is not reversed
        terminal.wait_for(lambda _: "ecomes the message" in reversed_text(terminal, line_with(terminal, "why ")))
        terminal.write("because")
        terminal.wait_for("because")
        terminal.press("escape")
        terminal.wait_for("e Edit state")
        terminal.press("?")
        terminal.wait_for("Keys of this screen")
        terminal.write("cancel")
        terminal.wait_for("Cancel the run, after a question")
        terminal.press("escape")
        terminal.wait_for(lambda text: "Keys of this screen" not in text)
        terminal.press("x")
        terminal.wait_for("Cancel?")
        assert " No " in reversed_text(terminal, line_with(terminal, "Cancel the run"))
        terminal.press("escape")
        terminal.wait_for(lambda text: "Cancel?" not in text)
        terminal.press("enter")
        terminal.wait_for("[Overview]")
        few_runs.kill()
        terminal.wait_for("OFFLINE", START_S)
        assert "OFFLINE" in reversed_text(terminal, line_with(terminal, "OFFLINE"))
        terminal.press("ctrl+c", "ctrl+c")
        assert terminal.wait_ended(START_S) == 0
        written = looks(bytes(terminal.raw))
    assert written & COLOURS == set()
    assert {1, 2, 7} <= written
