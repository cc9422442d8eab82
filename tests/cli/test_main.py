"""The root of the commands: quick start, one line for each mistake, quiet ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowlatch.cli.main import NOUNS, flowlatch
from flowlatch.version import __version__
from tests.cli.conftest import Command
from tests.support.pty import Terminal
from tests.support.pty import flowlatch as command_line
from tests.support.server import ServerProcess

HEAVY = ("textual", "rich", "gql", "graphql", "httpx", "pydantic", "click", "asyncio", "sqlalchemy", "uvicorn")


def loaded_after(code: str) -> set[str]:
    """Return the heavy packages that a fresh interpreter has imported after `code`."""
    script = f"import sys\n{code}\nsys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_version_imports_nothing_heavy() -> None:
    call = "import sys; sys.argv[1:] = ['--version']\nfrom flowlatch.__main__ import main; main()"
    assert loaded_after(call) == set()
    done = subprocess.run([sys.executable, "-m", "flowlatch", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"flowlatch {__version__}\n"


def test_the_help_imports_no_screen_and_no_network() -> None:
    call = "from flowlatch.cli.main import run; run(['--help']); run(['runs', '--help'])"
    assert loaded_after(call) <= {"click", "asyncio"}


def test_the_first_frame_needs_no_wire_and_no_checks() -> None:
    call = "import flowlatch.ui.launch, flowlatch.ui.app, flowlatch.ui.screens.runs, flowlatch.config"
    assert loaded_after(call) == {"textual", "rich", "asyncio"}


def test_every_noun_is_a_command_with_help(inside: Command) -> None:
    for noun in NOUNS:
        done = inside(noun, "--help")
        assert (done.code, done.out.split("\n")[0].startswith(f"Usage: flowlatch {noun}")) == (0, True)


def test_the_list_of_commands_says_each_whole(inside: Command) -> None:
    for noun in NOUNS:
        assert "..." not in inside(noun, "--help").out.partition("Commands:")[2]


@pytest.mark.parametrize("option", ["--profile", "--server", "--token-file", "--token-stdin", "--ca-file"])
def test_every_verb_takes_the_common_options(option: str) -> None:
    import click

    for noun in set(NOUNS) - {"serve"}:
        command = flowlatch.get_command(click.Context(flowlatch), noun)
        assert command is not None
        for verb in command.commands.values() if isinstance(command, click.Group) else [command]:
            names = {name for param in verb.get_params(click.Context(verb)) for name in param.opts}
            assert {option, "--json", "--read-only", "--theme", "--no-mouse"} <= names, verb.name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nope"], "No such option '--nope'"),
        (["nope"], "No such command 'nope'"),
        (["runs"], "Missing command"),
        (["runs", "show"], "Missing argument 'RUN'"),
        (["runs", "list", "--limit", "0"], "--limit"),
        (["runs", "list", "--sort", "colour"], "'colour' is not one of"),
        (["--server", "ftp://x", "runs", "list"], "wants http://HOST"),
        (["--server", "http://u:p@x", "runs", "list"], "no user or password"),
        (["--profile", "nope", "runs", "list"], "no profile is named 'nope'"),
        (["--token-file", "/nonexistent", "runs", "list"], "No such file"),
        (["--ca-file", "/nonexistent", "runs", "list"], "no such file"),
        (["--token-file", "x", "--token-stdin", "runs", "list"], "not both"),
        (["demo", "--speed", "0"], "wants a number from 0.1 to 100"),
        (["demo", "--speed", "nan"], "wants a number from 0.1 to 100"),
        (["demo", "--server", "http://x"], "server of its own"),
        (["web", "--port", "0"], "--port"),
        (["web", "--writable", "--read-only"], "not both"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    words: list[str], said: str, inside: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLOWLATCH_SERVER")
    done = inside(*words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    as_json = inside(*words, "--json")
    assert (as_json.code, sorted(as_json.error)) == (2, ["code", "message"])


def test_without_a_terminal_the_dashboard_points_at_the_commands(plain: Command, home: Path) -> None:
    done = plain()
    assert (done.code, done.out) == (2, "")
    assert "flowlatch runs list" in done.err
    assert done.err.count("\n") == 1
    assert plain("demo").code == 2
    assert not list(home.iterdir())


@pytest.mark.parametrize(("term", "word"), [("dumb", "TERM is dumb"), ("", "TERM is not set")])
def test_a_dumb_terminal_gets_the_same_hint(term: str, word: str) -> None:
    with Terminal(command_line(), term=term) as terminal:
        assert terminal.wait_ended() == 2
        terminal.read_for(0.1)
        assert word in terminal.text
        assert b"\x1b" not in terminal.raw


def test_a_reader_that_goes_away_is_no_error(shared_server: ServerProcess) -> None:
    wire = shared_server.wire()
    flow = wire.create_flow("long-list")
    for _ in range(3):
        wire.create_run(flow)
    script = 'set -o pipefail; "$0" -m flowlatch runs list --json | true; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable], env=shared_server.env(), capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() in ("141", "0")


def test_a_closed_pipe_ends_with_141(shared_server: ServerProcess) -> None:
    shared_server.wire().create_flow("not-read")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "flowlatch", "flows", "list", "--json"],
        env=shared_server.env(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", [["--version"], ["runs", "list"], ["runs", "list", "--json"], ["--help"]])
def test_a_closed_stream_is_as_good_as_the_null_device(
    closed: str, words: list[str], shared_server: ServerProcess, home: Path
) -> None:
    script = f'exec "$0" -m flowlatch "$@" {closed}'
    command = ["sh", "-c", script, sys.executable, *words]
    done = subprocess.run(command, env=shared_server.env(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if words[0].startswith("--"):
        assert bool(done.stdout) is (closed in ("<&-", "2>&-"))
    assert not (home / "state" / "crash.log").exists()


def test_with_stdin_closed_no_question_can_be_asked(shared_server: ServerProcess) -> None:
    wire = shared_server.wire()
    run_id = wire.create_run(wire.create_flow("unasked"))
    script = 'exec "$0" -m flowlatch runs cancel --filter flow:unasked <&-'
    command = ["sh", "-c", script, sys.executable]
    done = subprocess.run(command, env=shared_server.env(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "give --yes to cancel them" in done.stderr
    assert wire.states(run_id) == ["Scheduled"]


def test_a_change_with_stdout_closed_is_made_and_ends_with_its_own_code(shared_server: ServerProcess) -> None:
    wire = shared_server.wire()
    run_id = wire.create_run(wire.create_flow("unheard"))
    script = 'exec "$0" -m flowlatch runs set-state "$1" Success --expect-version 1 >&-'
    command = ["sh", "-c", script, sys.executable, run_id]
    first, again = (
        subprocess.run(command, env=shared_server.env(), capture_output=True, text=True, check=False) for _ in range(2)
    )
    assert (first.returncode, first.stderr, again.returncode) == (0, "", 5)
    assert wire.states(run_id) == ["Scheduled", "Success"]


def test_ctrl_c_is_quiet_and_130(shared_server: ServerProcess) -> None:
    wire = shared_server.wire()
    run_id = wire.create_run(wire.create_flow("watched"))
    process = subprocess.Popen(
        [sys.executable, "-m", "flowlatch", "runs", "watch", run_id, "--json"],
        env=shared_server.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert '"state": "Scheduled"' in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (130, "")


def test_a_bug_is_one_line_and_a_log_for_its_owner(home: Path) -> None:
    script = "import sys; from flowlatch.cli.crash import tell_crash; sys.excepthook = tell_crash; 1 / 0"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    log = home / "state" / "crash.log"
    assert done.returncode == 1
    assert done.stderr == f"flowlatch: internal error: ZeroDivisionError; details in {log}\n"
    assert "ZeroDivisionError: division by zero" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
