"""Names and messages in wide, joined and combining characters: every column starts at one cell (ux.md row 67)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest

from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess
from tests.support.waiting import eventually

START_S = 40.0
NAMES = {
    "plain": "amber-lynx",
    "han": "夜間注文処理",
    "han, cut": "とても長い名前のフロー実行はどこかで切られる",
    "emoji": "🚀 rocket 🦊",
    "combining": "cafe\u0301-noe\u0308l",
    "full width": "ＡＢＣ－１２３",
    "hangul": "야간작업",
}
"""What each run is called."""
WORDS = "磁盘已满 disk"
"""What each run's message begins with."""


@pytest.fixture(scope="module")
def wide_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a failed run of each name; the plain one is the newest."""
    with ServerProcess(tmp_path_factory.mktemp("wide")) as server:
        wire = server.wire()
        flow = wire.create_flow("etl")
        for place, name in enumerate(NAMES.values()):
            start = f"2026-01-01T{20 - place}:00:00"
            run = wire.create_run(flow, flow_run_name=name, scheduled_start_time=start, labels=["夜間"])
            wire.set_state(run, 1, "Failed", WORDS)
        yield server


def cells(terminal: Terminal, line: int) -> list[str]:
    """Return what stands in each cell of a line; the second cell of a wide character holds nothing."""
    row = terminal.screen.buffer[line]
    return [row[column].data for column in range(terminal.screen.columns)]


def column_of(row: list[str], text: str) -> int:
    """Return the cell at which a text begins."""
    found = [place for place in range(len(row)) if "".join(row[place:]).startswith(text) and row[place]]
    assert found, f"{text!r} is not in {''.join(row)!r}"
    return found[0]


def run_lines(terminal: Terminal) -> list[int]:
    """Return the lines of the list that show a run."""
    return [number for number, line in enumerate(terminal.lines) if " x Failed " in line and "etl" in line]


def pane_text(terminal: Terminal) -> str:
    """Return what stands right of the list."""
    return whole("\n".join(line.rpartition("│")[2] for line in terminal.lines))


def wait_for_pane(terminal: Terminal, text: str) -> None:
    """Wait until the pane shows a text and nothing more comes."""
    eventually(lambda: terminal.read_some(0.05) == b"" and text in pane_text(terminal))


def whole(text: str) -> str:
    """Return text with its marks in the characters, as the emulated terminal keeps it."""
    return unicodedata.normalize("NFC", text)


def open_list(server: ServerProcess, columns: int, rows: int) -> Terminal:
    env = server.env(LANG="C.UTF-8", LC_ALL="C.UTF-8")
    terminal = Terminal(flowlatch(), env=env, columns=columns, rows=rows)
    terminal.wait_for(lambda text: " live" in text and "amber-lynx" in text, START_S)
    return terminal


def test_columns_of_the_list_and_of_a_run_start_at_one_cell(wide_server: ServerProcess) -> None:
    with open_list(wide_server, 80, 24) as terminal:
        lines = run_lines(terminal)
        assert len(lines) == len(NAMES)
        rows = [cells(terminal, line) for line in lines]
        head = cells(terminal, lines[0] - 1)
        message = column_of(head, "MESSAGE")
        version = column_of(head, "VER")
        assert {column_of(row, WORDS[:2]) for row in rows} == {message}
        assert {"".join(row[version - 1 : message]).strip() for row in rows} == {"v2"}
        assert {column_of(row, "etl / ") for row in rows} == {column_of(head, "FLOW / RUN")}
        assert any("…" in row for row in rows), "the long name is cut"
        for name in NAMES.values():
            assert whole(name)[:4] in whole(terminal.text)
        terminal.press("j", "j", "enter")
        terminal.wait_for("[Overview]")
        terminal.wait_for(lambda text: "v1 " in text and "labels" in text)
        by_word = {word: cells(terminal, n) for n, line in enumerate(terminal.lines) for word in line.split()[:1]}
        assert column_of(by_word["message"], WORDS[:2]) == column_of(by_word["state"], "x Failed")
        assert column_of(by_word["labels"], "夜間") == column_of(by_word["state"], "x Failed")
        assert column_of(by_word["v2"], WORDS[:2]) == column_of(by_word["v1"], "Flow run")
        assert column_of(by_word["v2"], "unknown") == column_of(by_word["v1"], "unknown")


def test_the_side_pane_stands_in_one_column(wide_server: ServerProcess) -> None:
    with open_list(wide_server, 120, 40) as terminal:
        terminal.wait_for("── history")
        for name in NAMES.values():
            wait_for_pane(terminal, whole(name)[:3])
            rows = [cells(terminal, line) for line in range(4, 38)]
            assert len({column_of(row, "│") for row in rows}) == 1
            edge = column_of(rows[0], "│")
            assert all(len(row) == 120 and row[edge] == "│" for row in rows)
            terminal.press("j")
