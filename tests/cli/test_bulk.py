"""Many runs by filter: listed, asked about, changed on their own versions, told run by run."""

from __future__ import annotations

import uuid

import pytest

from tests.cli.conftest import Command
from tests.support.pty import Terminal
from tests.support.pty import flowlatch as command_line
from tests.support.server import ServerProcess
from tests.support.wire import Wire


@pytest.fixture
def runs(shared_wire: Wire) -> tuple[str, list[str]]:
    """Return a filter for a flow of this test's own and the ids of its three runs: Failed, Failed, Success."""
    name = f"bulk-{uuid.uuid4().hex[:8]}"
    flow = shared_wire.create_flow(name)
    ids = [shared_wire.create_run(flow, scheduled_start_time=f"2026-11-0{day}T00:00:00Z") for day in (1, 2, 3)]
    for run_id, state in zip(ids, ("Failed", "Failed", "Success"), strict=True):
        shared_wire.set_state(run_id, 1, state)
    return f"flow:{name}", ids


def test_a_dry_run_lists_and_writes_nothing(inside: Command, shared_wire: Wire, runs: tuple[str, list[str]]) -> None:
    text, ids = runs
    done = inside("runs", "set-state", "Success", "--filter", f"{text} state:failed", "--dry-run", "--json")
    assert (done.code, [row["id"] for row in done.rows]) == (0, [ids[1], ids[0]])
    assert [shared_wire.run(run_id)["version"] for run_id in ids] == [2, 2, 2]


def test_ids_can_be_rehearsed_too(inside: Command, shared_wire: Wire, runs: tuple[str, list[str]]) -> None:
    _, ids = runs
    for chosen in (ids[:1], ids):
        done = inside("runs", "cancel", *chosen, "--dry-run", "--json")
        assert (done.code, [row["id"] for row in done.rows]) == (0, chosen)
    assert [shared_wire.run(run_id)["version"] for run_id in ids] == [2, 2, 2]


def test_one_run_is_said_as_one(inside: Command, runs: tuple[str, list[str]]) -> None:
    text = f"{runs[0]} state:success"
    assert inside("runs", "retry", "--filter", text, "--dry-run").err == "1 run: 1 Success\n"
    assert "matches 1 run: give --yes" in inside("runs", "retry", "--filter", text).err


def test_without_yes_a_script_is_told_and_nothing_is_written(
    inside: Command, shared_wire: Wire, runs: tuple[str, list[str]]
) -> None:
    text, ids = runs
    done = inside("runs", "delete", "--filter", text, "--json")
    assert (done.code, done.out, done.error["code"]) == (2, "", "BAD_INPUT")
    assert "3 runs" in done.error["message"]
    assert all(shared_wire.run(run_id) for run_id in ids)


def test_each_run_gets_its_own_result(inside: Command, shared_wire: Wire, runs: tuple[str, list[str]]) -> None:
    text, ids = runs
    done = inside(
        "runs", "set-state", "Success", "-m", "checked", "--filter", f"{text} state:failed", "--yes", "--json"
    )
    assert (done.code, {row["id"]: row["outcome"] for row in done.rows}) == (0, dict.fromkeys(ids[:2], "applied"))
    assert {row["base"]["version"] for row in done.rows} == {2}
    assert [shared_wire.run(run_id)["state"] for run_id in ids] == ["Success"] * 3
    refused = inside("runs", "cancel", "--filter", text, "--yes", "--json")
    assert (refused.code, {row["outcome"] for row in refused.rows}) == (1, {"refused"})
    retried = inside("runs", "retry", "--filter", text, "--yes", "--json")
    assert {row["retry_of"] for row in retried.rows} == set(ids)
    assert {row["idempotency_key"].rsplit("-", 1)[0] for row in retried.rows} == {f"retry-{run_id}" for run_id in ids}
    told = inside("runs", "delete", "--filter", text, "--yes")
    assert (told.code, told.out.count("applied"), told.err) == (0, 6, "6 applied\n")


def test_retries_are_told_by_the_new_runs(
    inside: Command, shared_server: ServerProcess, shared_wire: Wire, runs: tuple[str, list[str]]
) -> None:
    text, ids = runs
    flow = text.removeprefix("flow:")
    done = inside("runs", "retry", *ids)
    assert (done.code, done.err) == (0, "3 created\n")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert {line[3] for line in lines} == {f"retry of {run_id}" for run_id in ids}
    for outcome, run_id, name, _ in lines:
        found = shared_wire.run(run_id)
        assert (outcome, name, found["version"]) == ("created", f"{flow} / {found['name']}", 1)
    one = inside("runs", "retry", ids[0]).out.splitlines()
    assert one[1].startswith("created ")
    assert one[1].endswith(f" {flow} / {shared_wire.run(one[1].split()[1])['name']}")
    words = command_line("runs", "retry", *ids[:2])
    with Terminal(words, env=shared_server.env(), columns=80) as terminal:
        terminal.wait_for("2 created")
        assert terminal.wait_ended() == 0
        told = [line.split() for line in terminal.lines if line.startswith("created")]
    assert {line[-1] for line in told} == {run_id[:8] for run_id in ids[:2]}
    for line in told:
        assert inside("runs", "show", line[1], "--json").row["idempotency_key"].startswith("retry-")


def test_several_ids_are_a_bulk_too(inside: Command, shared_wire: Wire, runs: tuple[str, list[str]]) -> None:
    _, ids = runs
    done = inside("runs", "set-state", *ids, "Running", "--json")
    assert (done.code, sorted(row["id"] for row in done.rows)) == (0, sorted(ids))
    assert {shared_wire.run(run_id)["state"] for run_id in ids} == {"Running"}


def test_nothing_that_matches_is_no_failure(inside: Command) -> None:
    done = inside("runs", "cancel", "--filter", "flow:nothing-of-this", "--yes")
    assert (done.code, done.out, done.err) == (0, "", "no run matches\n")


@pytest.mark.parametrize(("answer", "is_done"), [("\r", False), ("n\r", False), ("y\r", True)])
def test_on_a_terminal_the_runs_are_shown_and_no_is_the_default(
    answer: str, is_done: bool, shared_server: ServerProcess, shared_wire: Wire, runs: tuple[str, list[str]]
) -> None:
    text, ids = runs
    words = ("runs", "set-state", "Running", "--filter", f"{text} state:failed")
    with Terminal(command_line(*words), env=shared_server.env()) as terminal:
        terminal.wait_for("set Running on 2 runs? [y/N]")
        assert ids[0][:8] in terminal.text
        assert "2 runs: 2 Failed" in terminal.text
        terminal.write(answer)
        assert terminal.wait_ended() == (0 if is_done else 2)
    assert {shared_wire.run(run_id)["state"] for run_id in ids[:2]} == {"Running" if is_done else "Failed"}


def test_over_twenty_runs_the_number_is_typed(shared_server: ServerProcess, shared_wire: Wire) -> None:
    name = f"bulk-{uuid.uuid4().hex[:8]}"
    flow = shared_wire.create_flow(name)
    ids = [shared_wire.create_run(flow) for _ in range(21)]
    words = ("runs", "cancel", "--filter", f"flow:{name}")
    for typed, code in (("y\r", 2), ("21\r", 0)):
        with Terminal(command_line(*words), env=shared_server.env()) as terminal:
            terminal.wait_for("Type the number")
            terminal.write(typed)
            assert terminal.wait_ended() == code
    assert {shared_wire.run(run_id)["state"] for run_id in ids} == {"Cancelled"}
