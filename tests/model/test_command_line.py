"""Forms as command lines: they say the same, and a paste into a shell does nothing else."""

from __future__ import annotations

import shlex
import subprocess
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from flowlatch.model.command_line import create_command, quoted, run_command, set_state_command
from flowlatch.model.run import FlowId, NewRun
from flowlatch.model.state import StateDraft


def test_a_new_run() -> None:
    new = NewRun(
        flow_id=FlowId("f"),
        parameters={"day": "2026-11-22", "limit": 10, "note": "two words", "password": "canary"},
        labels=["prod"],
        idempotency_key="mine",
        flow_run_name="amber",
    )
    line = create_command(new, flow="etl orders", server="prod", at="2026-12-01T00:00:00Z")
    assert shlex.split(line) == [
        *("flowlatch", "--profile", "prod", "runs", "create", "etl orders"),
        *("--param", "day=2026-11-22", "--param", "limit=10", "--param", "note=two words", "--param", "password=***"),
        *("--at", "2026-12-01T00:00:00Z", "--key", "mine", "--label", "prod", "--name", "amber"),
    ]
    assert "canary" not in line


def test_keys() -> None:
    assert "--key" not in create_command(NewRun(idempotency_key="run-1"), flow="f", has_own_key=False)
    assert create_command(NewRun(), flow="f").endswith("--no-key")


def test_a_state_and_a_verb() -> None:
    line = set_state_command("r1", 7, StateDraft(type="Failed", message="it's stuck"))
    assert shlex.split(line) == [
        *("flowlatch", "--profile", "local", "runs", "set-state", "r1"),
        *("Failed", "-m", "it's stuck", "--expect-version", "7"),
    ]
    later = StateDraft(type="Scheduled", start_time=datetime(2027, 1, 1, 8, tzinfo=UTC))
    assert " Scheduled --at 2027-01-01T08:00:00Z --expect-version 1" in set_state_command("r1", 1, later)
    assert run_command("cancel", "r1", server="prod") == "flowlatch --profile prod runs cancel r1"


def test_a_server_without_a_profile_is_named_by_its_url() -> None:
    line = run_command("show", "r1", server="http://127.0.0.1:4200")
    assert line == "flowlatch --server http://127.0.0.1:4200 runs show r1"


def test_control_characters_are_written_out() -> None:
    assert quoted("a\nb\x1b[2J'") == "$'a\\x0ab\\x1b[2J\\''"
    assert quoted("a\u202eb") == "$'a\\u202eb'"


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12))
def test_a_shell_reads_back_exactly_what_was_meant(word: str) -> None:
    script = f"printf '%s.' {quoted(word)}"
    assert script.isprintable()
    shell = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert shell.stdout == f"{word}.".encode()
