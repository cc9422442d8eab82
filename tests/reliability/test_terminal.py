"""P7 and P8 in a real terminal: every byte that comes out, what is left behind. Source: reliability.md §1, §2, §4."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.conftest import settle, unknown_bytes
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess

START_S = 40.0
ESC_SHOWN = "␛"
LOADING = "loading …"
HOSTILE = ("list", "run 0", "run 0 history", "run 0 logs", "run 0 parameters", "run 0 raw", "edit", "flows")
"""Screens that show what the hostile server sends."""
CRASHING = """
import sys
from flowlatch.ui.screens.runs import RunsScreen

async def boom(self, *arguments):
    secret = "canary-local"
    raise RuntimeError("\\x1bc[bold]broken[/" + secret[:0])

RunsScreen.action_refresh = boom
sys.argv = ["flowlatch"]
from flowlatch.__main__ import main
main()
"""


def open_list(server: ServerProcess, **options: object) -> Terminal:
    """Open the dashboard and wait until its list is live."""
    env = server.env(LANG="C.UTF-8", LC_ALL="C.UTF-8")
    terminal = Terminal(flowlatch(), env=env, **options)  # type: ignore[arg-type]
    try:
        terminal.wait_for(" live", START_S)
        settle(terminal)
    except AssertionError:
        terminal.close()
        raise
    return terminal


def middle(terminal: Terminal) -> list[str]:
    """Return the lines between those that have clocks and counters."""
    return terminal.lines[4:-3]


def is_marked(text: str) -> bool:
    """Return whether a screen shows an escape character as what it is."""
    return ESC_SHOWN in text or "\\u001b" in text


def turn(terminal: Terminal, key: str) -> str:
    """Press a key that opens or closes something, and return the screen once that is seen and quiet.

    Were the next key sent before, it would go to the screen below.
    """
    before = middle(terminal)
    terminal.press(key)
    terminal.wait_for(lambda text: middle(terminal) != before and LOADING not in text, START_S)
    return settle(terminal)


def command(terminal: Terminal, words: str) -> str:
    """Type a command line and return the screen after it."""
    turn(terminal, ":")
    terminal.write(words)
    terminal.wait_for(words, START_S)
    return turn(terminal, "enter")


def walk_every_screen(terminal: Terminal) -> dict[str, str]:
    """Visit the main screens over the runs that hold the most; return what each showed."""
    shown: dict[str, str] = {}

    def note(name: str) -> None:
        if name in HOSTILE:  # its frame may come first, and it may be quiet then for a while
            terminal.wait_for(is_marked, START_S)
        shown[name] = settle(terminal)

    note("list")
    for row in range(2):
        turn(terminal, "enter")
        note(f"run {row}")
        for tab in ("history", "logs", "tasks", "related", "parameters", "raw"):
            turn(terminal, "]")
            note(f"run {row} {tab}")
        turn(terminal, "escape")
        terminal.press("j")
        settle(terminal)
    terminal.press("g")
    settle(terminal)
    for name, key in {"edit": "e", "new": "N", "schedule": "s", "cancel": "x", "retry": "R", "copy": "y"}.items():
        turn(terminal, key)
        note(name)
        turn(terminal, "escape")
    for words in ("flows", "agents", "connections", "drafts", "journal"):
        command(terminal, words)
        note(words)
        turn(terminal, "escape")
    terminal.press("space", "j", "space")
    settle(terminal)
    turn(terminal, "x")
    note("many runs")
    turn(terminal, "escape")
    turn(terminal, "escape")
    turn(terminal, "?")
    note("help")
    turn(terminal, "escape")
    return shown


def test_nothing_from_anywhere_acts_on_the_terminal(hostile_server: ServerProcess) -> None:
    with open_list(hostile_server) as terminal:
        shown = walk_every_screen(terminal)
        for _ in range(56):
            terminal.press("j")
            terminal.read_some(0.05)
        settle(terminal)
        terminal.press("q")
        assert terminal.wait_ended(START_S) == 0, terminal.text
        assert unknown_bytes(bytes(terminal.raw)) == []
        assert terminal.is_restored()
    for screen in HOSTILE:
        assert is_marked(shown[screen]), f"{screen}:\n{shown[screen]}"
    assert len(set(shown.values())) > 15


def test_the_check_of_bytes_sees_what_acts() -> None:
    assert unknown_bytes(b"\x1b[31mred\x1b[0m \x1b[?25l\x1b[3;4H ok \xe2\x90\x9b") == []
    for bad in (b"\x1b]52;c;ZXZpbA==\x07", b"\x1bc", b"\x1b[6n", b"a\x08b", b"\xc2\x9b31m", "\u202e".encode(), b"\x9b"):
        assert unknown_bytes(b"fine " + bad), bad


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda value: str(int(value))
)
def test_a_signal_restores_the_terminal(shared_server: ServerProcess, number: int, code: int) -> None:
    with open_list(shared_server) as terminal:
        assert not terminal.is_restored()
        terminal.signal(number)
        assert terminal.wait_ended() == code
        assert terminal.is_restored()
        assert unknown_bytes(bytes(terminal.raw)) == []


def test_a_change_writes_little_more_than_itself_and_rest_nothing(shared_server: ServerProcess) -> None:
    wire = shared_server.wire()
    flow = wire.create_flow("quiet")
    runs = [wire.create_run(flow, flow_run_name=f"quiet-{number}") for number in range(5)]
    for run_id in runs:
        wire.set_state(run_id, 1, "Success", "done")
    with open_list(shared_server, columns=160, rows=50) as terminal:
        terminal.read_for(3)  # the marks of new rows go
        before = terminal.text
        for run_id in runs:
            wire.set_state(run_id, 2, "Failed", "no disk left")
        written = terminal.read_for(4)
        assert terminal.text.count("no disk left") >= 5
        assert len(written) < 3_000, written
        at_rest = terminal.text
        idle = terminal.read_for(12)  # longer than the ten seconds between two looks at what counts
        assert idle == b"" or terminal.lines[0] != at_rest.splitlines()[0], idle
        terminal.press("ctrl+r")
        assert len(terminal.read_for(2)) > 3_000, "what may be garbled is painted anew"
        assert before != at_rest


def test_a_terminal_that_is_gone_ends_it(shared_server: ServerProcess) -> None:
    with open_list(shared_server) as terminal:
        os.close(terminal._fd)
        terminal._fd = -1
        assert terminal.process.wait(10) == 129


def test_bytes_that_are_no_key_end_nothing(shared_server: ServerProcess) -> None:
    with open_list(shared_server) as terminal:
        os.write(terminal._fd, b"\xff\xfe")
        os.write(terminal._fd, b"\x1b[:u")
        terminal.wait_for("Propose the previous state", START_S)
        settle(terminal)
        terminal.press("escape")
        terminal.wait_for(lambda text: "Propose the previous state" not in text and "STATE" in text, START_S)
        settle(terminal)
        terminal.press("q")
        assert terminal.wait_ended() == 0


def test_a_crash_restores_the_terminal_and_tells_one_line(shared_server: ServerProcess) -> None:
    env = shared_server.env(LANG="C.UTF-8", LC_ALL="C.UTF-8")
    with Terminal([sys.executable, "-c", CRASHING], env=env) as terminal:
        terminal.wait_for(" live", START_S)
        settle(terminal)
        terminal.press("r")
        assert terminal.wait_ended() == 1
        assert terminal.is_restored()
        assert unknown_bytes(bytes(terminal.raw)) == []
        said = bytes(terminal.raw)[bytes(terminal.raw).rfind(b"\x1b[?1049l") :]
    assert said.count(b"\n") <= 2, said
    assert b"RuntimeError" in said
    assert b".log" in said
    everything = bytes(terminal.raw) + b"".join(p.read_bytes() for p in shared_server.home.rglob("*.log"))
    assert b"canary-local" not in everything.replace(b'secret = "canary-local"', b"")
    assert (shared_server.token or "-").encode() not in everything


def test_a_storm_of_sizes_ends_in_a_whole_screen(hostile_server: ServerProcess) -> None:
    with open_list(hostile_server) as terminal:
        for columns, rows in [(20, 5), (1, 1), (500, 200), (1, 60), (300, 1), (59, 15), (60, 14), (80, 24)] * 2:
            terminal.resize(columns, rows)
            terminal.read_some(0.02)
        terminal.resize(20, 5)
        terminal.wait_for("too small", START_S)
        terminal.resize(1, 1)
        settle(terminal)
        terminal.resize(120, 40)
        terminal.wait_for(lambda text: " live" in text and "STATE" in text, START_S)
        terminal.resize(20, 5)
        terminal.wait_for("too small", START_S)
        terminal.press("q")
        assert terminal.wait_ended() == 0
        assert terminal.is_restored()
        assert unknown_bytes(bytes(terminal.raw)) == []


def test_the_size_is_the_terminals_whatever_the_environment_says(shared_server: ServerProcess) -> None:
    env = shared_server.env(LANG="C.UTF-8", LC_ALL="C.UTF-8", COLUMNS="132", LINES="50")
    with Terminal(flowlatch(), env=env, columns=80, rows=24) as terminal:
        terminal.wait_for(" live", START_S)
        terminal.wait_for(lambda _: "? Help" in terminal.lines[23], START_S)
        terminal.resize(100, 30)
        terminal.wait_for(lambda _: "? Help" in terminal.lines[29], START_S)
        terminal.resize(50, 10)
        terminal.resize(40, 12)
        assert terminal.wait_for("too small", START_S)


def test_a_terminal_that_knows_ascii_only_gets_ascii_only(hostile_server: ServerProcess) -> None:
    env = hostile_server.env(LANG="C", LC_ALL="C")
    with Terminal(flowlatch(), env=env) as terminal:
        terminal.wait_for(" live", START_S)
        settle(terminal)
        turn(terminal, "enter")
        turn(terminal, "escape")
        terminal.press("q")
        assert terminal.wait_ended() == 0
        assert bytes(terminal.raw).isascii()
        assert unknown_bytes(bytes(terminal.raw)) == []


def test_a_dumb_terminal_is_told_about_the_commands(shared_server: ServerProcess) -> None:
    with Terminal(flowlatch(), env=shared_server.env(), term="dumb") as terminal:
        assert terminal.wait_ended(START_S) == 2
        assert "flowlatch runs list" in terminal.text.replace("\n", "")
        assert b"\x1b" not in terminal.raw


def test_the_token_is_in_no_output_of_any_command(hostile_server: ServerProcess, tmp_path: Path) -> None:
    """Also hostile text reaches no terminal: each command runs in one."""
    canary = hostile_server.token
    assert canary
    wire = hostile_server.wire()
    run = wire.data("{ flow_run(order_by: {created: desc}, limit: 1) { id flow_id } }")["flow_run"][0]
    run_id, flow_id = run["id"], run["flow_id"]
    shown = [
        ["runs", "list"],
        ["runs", "list", "--json"],
        ["runs", "show", run_id],
        ["runs", "logs", run_id],
        ["runs", "history", run_id],
        ["runs", "tasks", run_id],
        ["flows", "list"],
        ["flows", "show", flow_id],
        ["agents", "list"],
        ["profiles", "list"],
        ["doctor"],
        ["journal"],
    ]
    everything = b""
    for words in shown:
        with Terminal(flowlatch(*words), env=hostile_server.env(), columns=100) as terminal:
            assert terminal.wait_ended(START_S) in (0, 1), terminal.text
            assert unknown_bytes(bytes(terminal.raw)) == [], words
            everything += terminal.raw
    done = subprocess.run(
        flowlatch("runs", "set-state", run_id, "Running", "--expect-version", "99"),
        env=hostile_server.env(),
        capture_output=True,
        check=False,
    )
    everything += done.stdout + done.stderr + hostile_server.log.encode()
    everything += b"".join(path.read_bytes() for path in hostile_server.home.rglob("*") if path.is_file())
    assert done.returncode == 5, done
    assert len(everything) > 5_000
    assert canary.encode() not in everything
