"""ctrl+z and fg in a shell, a terminal multiplexer that is left and joined again. Source: reliability.md §2."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.conftest import settle
from tests.support.pty import Terminal, flowlatch
from tests.support.server import ServerProcess
from tests.support.waiting import eventually

START_S = 40.0
SHELL_PROMPT = "shell-is-here> "


def is_whole(text: str) -> bool:
    """True when the list is drawn: a live link, headings, a run."""
    return " live" in text and "STATE" in text and "a run" in text


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with one run."""
    with ServerProcess(tmp_path_factory.mktemp("listed")) as server:
        wire = server.wire()
        wire.create_run(wire.create_flow("only flow"), flow_run_name="a run")
        yield server


def test_ctrl_z_gives_the_shell_back_and_fg_draws_the_screen_again(listed: ServerProcess) -> None:
    env = listed.env(LC_ALL="C.UTF-8", PS1=SHELL_PROMPT)
    with Terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], env=env) as shell:
        shell.wait_for(SHELL_PROMPT.strip())
        shell.write(shlex.join(flowlatch()) + "\n")
        shell.wait_for(is_whole, START_S)
        settle(shell)
        assert not shell.is_restored()
        shell.press("ctrl+z")
        shell.wait_for(lambda text: "Stopped" in text and SHELL_PROMPT.strip() in text, START_S)
        assert shell.is_restored()
        shell.write("echo typed-$((6*7))\n")
        shell.wait_for("typed-42")
        drawn = len(shell.raw)
        shell.write("fg\n")
        shell.wait_for(is_whole, START_S)
        assert b"\x1b[?1049h" in shell.raw[drawn:]
        wire = listed.wire()
        wire.create_run(wire.create_flow("new flow"), flow_run_name="made now")
        shell.wait_for("made now", START_S)
        shell.press("q")
        shell.wait_for(lambda text: text.rstrip().endswith(SHELL_PROMPT.strip()) and "Stopped" in text, START_S)
        assert shell.is_restored()
        shell.write("exit\n")
        assert shell.wait_ended() == 0


class Tmux:
    """A tmux server of its own, on a socket below `directory`."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self._env = {name: value for name, value in env.items() if name != "TMUX"}
        self.command = ["tmux", "-f", "/dev/null", "-S", str(directory / "tmux")]

    def __call__(self, *words: str) -> str:
        """Run one tmux command and return what it printed."""
        done = subprocess.run(
            [*self.command, *words], env=self._env, capture_output=True, text=True, check=False, timeout=20
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def text(self) -> str:
        """What the pane shows."""
        return self("capture-pane", "-p", "-t", "=deck:")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: leaving and joining were not tested")
def test_tmux_may_be_left_and_joined_by_a_smaller_window(listed: ServerProcess, tmp_path: Path) -> None:
    env = {**listed.env(LC_ALL="C.UTF-8"), "TERM": "xterm-256color"}
    tmux = Tmux(tmp_path, env)
    tmux("new-session", "-d", "-s", "deck", "-x", "120", "-y", "40", shlex.join(flowlatch()))
    try:
        eventually(lambda: is_whole(tmux.text), START_S, "the list, nobody being attached")
        with Terminal([*tmux.command, "attach", "-t", "deck"], columns=80, rows=24, env=env) as small:
            small.wait_for(lambda text: is_whole(text) and is_whole(tmux.text), START_S)
            assert len(tmux.text.splitlines()) <= 24
            small.write("?")
            small.wait_for("esc closes", START_S)
            small.press("escape")
            small.wait_for(is_whole, START_S)
            small.write("\x02d")
            assert small.wait_ended() == 0
        with Terminal([*tmux.command, "attach", "-t", "deck"], columns=50, rows=12, env=env) as tiny:
            tiny.wait_for("too small", START_S)
            tiny.resize(100, 30)
            tiny.wait_for(is_whole, START_S)
            pane = int(tmux("display-message", "-p", "-t", "=deck:", "#{pane_pid}"))
            tiny.write("q")
            eventually(lambda: not os.path.exists(f"/proc/{pane}"), START_S, "its end")
    finally:
        subprocess.run([*tmux.command, "kill-server"], env=env, capture_output=True, check=False)
