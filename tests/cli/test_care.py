"""Profiles, doctor, the care of a database, completion, the browser."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from flowlatch.cli.common import Common
from flowlatch.cli.web import dashboard_command
from tests.cli.conftest import Command, execute
from tests.support.server import ServerProcess
from tests.support.waiting import eventually
from tests.support.wire import Wire


def test_profiles_are_added_used_listed_and_tested(
    inside: Command, shared_server: ServerProcess, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLOWLATCH_SERVER")
    token = f"file:{shared_server.data / 'token'}"
    added = inside("profiles", "add", "ours", shared_server.url, "--token", token, "--production", "--json").row
    assert (added["name"], added["production"], added["token"]) == ("ours", True, token)
    assert inside("profiles", "use", "ours").out == "ours is the default now\n"
    listed = {row["name"]: row["default"] for row in inside("profiles", "list", "--json").rows}
    assert listed == {"local": False, "ours": True}
    tested = inside("profiles", "test", "--json")
    assert (tested.code, tested.row["result"], tested.row["kind"]) == (0, "ok", "flowlatch")
    inside("profiles", "add", "dead", "http://127.0.0.1:9")
    both = inside("profiles", "test", "dead", "ours", "--json")
    assert (both.code, [row["result"] for row in both.rows]) == (1, ["UNREACHABLE", "ok"])
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600


def test_servers_in_prefects_own_files_are_offered(
    inside: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect" / "config.toml").write_text('[server]\nhost = "http://ops"\nport = 4200\n')
    found = [row for row in inside("profiles", "list", "--json").rows if row["found_in"]]
    assert [(row["url"], row["kind"]) for row in found] == [("http://ops:4200", "prefect1")]
    assert "flowlatch profiles add" in inside("profiles", "list").err


def test_a_broken_config_is_told_and_left_alone(inside: Command, home: Path) -> None:
    path = home / "config.toml"
    path.write_text('theme = "dark"\n[profiles.x]\nurl = 7\n')
    done = inside("profiles", "list")
    assert done.code == 0
    assert done.err.startswith("config: ")
    assert path.read_text() == 'theme = "dark"\n[profiles.x]\nurl = 7\n'
    assert inside("--profile", "x", "runs", "list").code == 2


def test_a_clash_an_unknown_action_and_an_unknown_theme_are_one_line_each(inside: Command, home: Path) -> None:
    path = home / "config.toml"
    text = 'theme = "pink"\n[keys]\nedit_state = ["x"]\nfly = ["f9"]\n'
    path.write_text(text)
    wanted = [
        f"{path}:1: theme: 'pink' is unknown; known: dark, light, high-contrast, colour-blind, terminal; dark is used",
        f"{path}:4: keys.fly: no such action; the help screen (?) names them all",
        f"{path}:3: keys.edit_state: x is taken by cancel (in the list); edit_state keeps e, m",
    ]
    listed = inside("profiles", "list")
    assert (listed.code, listed.err.splitlines()) == (0, [f"config: {line}" for line in wanted])
    facts = inside("doctor", "--json").row["configuration"]
    assert (facts["problems"], facts["theme"], facts["own_keys"]) == (wanted, "dark", {})
    path.write_text('theme = "light"\n[keys]\nedit_state = ["F9"]\n')
    facts = inside("doctor", "--json").row["configuration"]
    assert (facts["problems"], facts["theme"], facts["own_keys"]) == ([], "light", {"edit_state": ["f9"]})


def test_commands_read_keys_and_themes_without_the_screens_library(home: Path) -> None:
    (home / "config.toml").write_text('theme = "pink"\n[keys]\nedit_state = ["x"]\n')
    script = (
        "import sys\nfrom flowlatch.config import load_settings\nprint(len(load_settings().problems), "
        "sorted({'textual', 'rich'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "2 []\n"


def test_a_theme_that_there_is_not_is_a_wrong_option(inside: Command) -> None:
    done = inside("runs", "list", "--theme", "pink")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "'pink' is unknown; known: dark, light, high-contrast, colour-blind, terminal" in done.err


def test_the_doctor_tells_all_but_secrets(inside: Command, shared_server: ServerProcess) -> None:
    facts = inside("doctor", "--json").row
    assert facts["server"]["lock"] == "enforced"
    assert facts["server"]["has_token"] is True
    assert abs(facts["server"]["clock_skew_s"]) < 5
    assert facts["terminal"]["is_terminal"] is False
    assert facts["program"]["packages"]["textual"] != "missing"
    said = inside("doctor")
    assert "server.lock\tenforced\n" in said.out
    assert (shared_server.token or "none") not in said.out + said.err


def test_the_doctor_still_reports_when_the_server_is_away(inside: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLATCH_SERVER", "http://127.0.0.1:9")
    done = inside("doctor", "--json")
    assert (done.code, done.row["server"]["code"]) == (1, "UNREACHABLE")
    assert done.row["program"]["flowlatch"]


def test_the_doctor_starts_no_server(inside: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWLATCH_SERVER")
    monkeypatch.delenv("FLOWLATCH_TOKEN")
    assert "not running" in inside("doctor", "--json").row["server"]["url"]
    assert not (home / "data").exists()


def test_a_database_is_checked_backed_up_pruned_and_vacuumed(
    server: ServerProcess, wire: Wire, inside: Command, tmp_path: Path
) -> None:
    flow = wire.create_flow("old")
    ids = [wire.create_run(flow) for _ in range(3)]
    wire.set_state(ids[0], 1, "Success")
    data = ("--data", str(server.data))
    assert inside("db", "check", *data, "--json").row["sound"] is True
    backup = tmp_path / "copy.db"
    assert inside("db", "backup", str(backup), *data, "--json").row["bytes"] == backup.stat().st_size
    assert inside("db", "backup", str(backup), *data).code == 2
    assert inside("db", "prune", "--older-than", "1h", *data, "--json").row == {"deleted": 0}
    assert inside("db", "vacuum", *data, "--json").row["bytes_after"] > 0
    assert [wire.run(run_id)["id"] for run_id in ids] == ids
    backup.write_bytes(b"SQLite format 3\0" + bytes(4000))
    broken = inside("db", "check", "--data", str(backup), "--json")
    assert (broken.code, broken.out, broken.error["code"]) == (2, "", "CONFIG")


@pytest.mark.parametrize(
    ("shell", "mark"),
    [("bash", "complete -o nosort -F"), ("zsh", "#compdef flowlatch"), ("fish", "complete --no-files")],
)
def test_each_shell_gets_its_script(shell: str, mark: str, inside: Command) -> None:
    done = inside("completion", shell)
    assert done.code == 0
    assert mark in done.out
    assert "_FLOWLATCH_COMPLETE" in done.out


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_shows_descriptions_whole(tmp_path: Path, inside: Command) -> None:
    script = tmp_path / "flowlatch.fish"
    script.write_text(inside("completion", "fish").out)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ask = f"source {script}; complete -C 'flowlatch runs li'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", ask],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "list\tList flow runs, latest start first."


def completed(words: str, home: Path) -> set[str]:
    """Return what bash is offered behind `words`."""
    env = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = execute((), {**env, "_FLOWLATCH_COMPLETE": "bash_complete", "FLOWLATCH_HOME": str(home)})
    assert done.code == 0
    return {line.split(",")[1] for line in done.out.splitlines()}


def test_completion_knows_nouns_verbs_options_and_profiles(home: Path) -> None:
    (home / "config.toml").write_text('[profiles.prod]\nurl = "http://ops"\n')
    assert completed("flowlatch d", home) == {"demo", "db", "doctor"}
    assert {"set-state", "show"} == completed("flowlatch runs s", home)
    assert completed("flowlatch runs set-state 7c1f02 s", home) == {"Scheduled", "Submitted", "Success", "Skipped"}
    assert completed("flowlatch runs list --rev", home) == {"--reverse"}
    assert completed("flowlatch --profile pr", home) == {"prod"}


def test_the_browsers_dashboard_is_read_only_unless_told() -> None:
    assert dashboard_command(Common(), writable=False).endswith("-m flowlatch --read-only")
    chosen = Common(server="http://a b", token_file="/t", theme="light")
    assert dashboard_command(chosen, writable=True).endswith(
        "-m flowlatch --server 'http://a b' --token-file /t --theme light"
    )


def test_a_taken_port_is_one_line_and_2(inside: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = inside("web", "--port", str(taken.getsockname()[1]))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "taken" in done.err


def test_the_dashboard_is_served_to_a_browser(shared_server: ServerProcess, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "web.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "flowlatch", "web", "--port", str(port)],
            env=shared_server.env(),
            stdout=file,
            stderr=file,
        )

    def page() -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/").text
        except httpx.TransportError:
            return ""

    try:
        assert f"ws://127.0.0.1:{port}/ws" in eventually(page, 20, "the page")
        with connect(f"ws://127.0.0.1:{port}/ws?width=100&height=30", max_size=None) as tab:
            drawn = ""
            while "READ-ONLY" not in drawn:
                received = tab.recv(20)
                drawn += received.decode("utf-8", "replace") if isinstance(received, bytes) else received
            assert "FLOW / RUN" in drawn
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def test_commands_work_inside_a_running_loop_of_threads(inside: Command) -> None:
    """A command has a loop of its own: it leaves none behind in this thread."""
    assert inside("agents", "list").code == 0
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
