"""What only a real terminal shows: the mouse left alone, the operator's editor, focus that comes and goes."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from flowlatch.ui.newsroom import FRAME_S, REST_S
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess

START_S = 40.0
MOUSE = re.compile(rb"\x1b\[\?(?:9|1000|1001|1002|1003|1005|1006|1015|1016)h")
"""What switches reports of the mouse on. Source: xterm, ctlseqs, "Mouse Tracking"."""
EDITOR = """
import json, sys
from pathlib import Path

path = Path(sys.argv[1])
seen = json.loads(path.read_text())
print("EDITOR SEES", seen, flush=True)
path.write_text(json.dumps({**seen, "limit": 7}))
input("enter ends the editor")
"""


@pytest.mark.parametrize(("options", "has_mouse"), [((), True), (("--no-mouse",), False)], ids=["mouse", "no mouse"])
def test_no_mouse_leaves_the_mouse_to_the_terminal(
    shared_server: ServerProcess, options: tuple[str, ...], has_mouse: bool
) -> None:
    with Terminal(flowlatch(*options), env=shared_server.env(), columns=80, rows=24) as terminal:
        terminal.wait_for(" live", START_S)
        terminal.press("q")
        assert terminal.wait_ended(START_S) == 0
        assert bool(MOUSE.search(bytes(terminal.raw))) is has_mouse


def test_the_operators_editor_gets_the_parameters_and_gives_them_back(
    shared_server: ServerProcess, tmp_path: Path
) -> None:
    wire, name = shared_server.wire(), f"etl-{uuid4().hex[:8]}"
    flow = wire.create_flow(name, [{"name": "day", "required": True}, {"name": "limit", "default": 10}])
    script = tmp_path / "editor.py"
    script.write_text(EDITOR)
    editor = f"{sys.executable} {script}"
    env = shared_server.env(EDITOR=editor, VISUAL="", LANG="C.UTF-8", LC_ALL="C.UTF-8")
    with Terminal(flowlatch(), env=env, columns=80, rows=24) as terminal:
        terminal.wait_for(lambda text: " live" in text and "STATE" in text, START_S)
        terminal.press("n")
        terminal.wait_for("type to search")
        terminal.write(name)
        terminal.wait_for(lambda text: "New run" in text and "day" in text and "limit" in text)
        terminal.press("tab", "tab", "tab", "tab")
        terminal.write("2026-12-01")
        terminal.wait_for("[ 2026-12-01")
        terminal.press("ctrl+e")
        terminal.wait_for("EDITOR SEES {'day': '2026-12-01'}", START_S)
        assert "New run" not in terminal.text
        terminal.press("enter")
        terminal.wait_for(lambda text: "New run" in text and "[ 7 " in text, START_S)
        terminal.press("f2")
        terminal.wait_for("Created", START_S)
    (run,) = wire.data(
        "query($flow: uuid!) { flow_run(where: {flow_id: {_eq: $flow}}) { parameters } }",
        {"flow": flow},
    )["flow_run"]
    assert run["parameters"] == {"day": "2026-12-01", "limit": 7}


def test_changes_wait_while_the_window_has_no_focus_and_come_with_it(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        wire = server.wire()
        run = wire.create_run(wire.create_flow("etl"), flow_run_name="lynx")
        env = server.env(LANG="C.UTF-8", LC_ALL="C.UTF-8")
        with Terminal(flowlatch(), env=env, columns=80, rows=24) as terminal:
            terminal.wait_for(lambda text: " live" in text and "lynx" in text, START_S)
            assert b"\x1b[?1004h" in terminal.raw, "the terminal is asked to tell"
            terminal.write("\x1b[O")
            wire.set_state(run, 1, "Running", "word-0.")
            terminal.wait_for("word-0.")
            began_at, seen = time.monotonic(), set[str]()
            for number in range(1, 16):
                wire.set_state(run, number + 1, "Running", f"word-{number}.")
                terminal.read_for(2 * FRAME_S)
                seen |= set(re.findall(r"word-\d+\.", terminal.text)) - {"word-0."}
            frames = (time.monotonic() - began_at) / REST_S
            assert len(seen) <= frames + 1, "as often as while it rests"
            terminal.write("\x1b[I")
            terminal.wait_for("word-15.")
            wire.set_state(run, 17, "Running", "word-16.")
            terminal.wait_for("word-16.", 1.8)


def test_a_field_at_rest_writes_nothing(server: ServerProcess) -> None:
    with Terminal(flowlatch(), env=server.env(LC_ALL="C.UTF-8"), columns=80, rows=24) as terminal:
        terminal.wait_for("no runs yet", 40)
        for key, sign in (("/", "esc Drop"), (":", "more; type on")):
            terminal.press(key)
            terminal.wait_for(sign, 40)
            while terminal.read_some(0.3):
                pass
            written = [terminal.read_for(1.2), terminal.read_for(1.2)]
            assert b"" in written, "the clock moves once a minute; a blinking cursor writes twice a second"
            terminal.press("escape")
            terminal.wait_for("n New", 40)
