"""The verbs of `flowlatch runs` and `flows` on a real server; some as processes of their own."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Command, execute
from tests.support.pty import Terminal
from tests.support.pty import flowlatch as command_line
from tests.support.server import ServerProcess
from tests.support.wire import Wire

STATE_COLUMNS = {"version", "state", "message", "timestamp", "actor"}


@pytest.fixture
def flow_name() -> str:
    """A flow name of this test's own."""
    return f"flow-{uuid.uuid4().hex[:8]}"


def test_a_flow_and_a_run_without_any_other_tool(shell: Command, shared_wire: Wire, flow_name: str) -> None:
    params = ["--param", "day:date", "--param", "region:eu|us=eu", "--param", "limit:int=10", "--param", "free"]
    made = shell("flows", "create", flow_name, *params, "--project", "cli", "--json").row
    assert (made["name"], made["version"], made["project"]["name"]) == (flow_name, 1, "cli")
    assert [(p["name"], p["required"], p["default"], p["annotation"]) for p in made["parameters"]] == [
        ("day", True, None, "date"),
        ("region", False, "eu", "eu|us"),
        ("limit", False, 10, "int"),
        ("free", True, None, None),
    ]
    created = shell(
        *("runs", "create", f"cli/{flow_name}", "--param", "day=2026-11-22", "--param", "limit=7"),
        *("--param", 'free={"a": [1]}', "--label", "b", "--label", "a", "--name", "my run", "--key", "k", "--json"),
    ).row
    assert (created["outcome"], created["mismatch"]) == ("created", [])
    assert created["flow"] == {"id": made["id"], "name": flow_name, "version": 1}
    assert created["parameters"] == {"region": "eu", "limit": 7, "day": "2026-11-22", "free": {"a": [1]}}
    assert (created["labels"], created["name"], created["idempotency_key"]) == (["a", "b"], "my run", "k")
    assert datetime.fromisoformat(created["expires_at"]) > datetime.now(UTC) + timedelta(hours=23)
    assert shared_wire.run(created["id"])["state"] == "Scheduled"


def test_a_repeat_with_the_same_key_says_existing_and_what_differs(inside: Command, flow_name: str) -> None:
    inside("flows", "create", flow_name)
    first = inside("runs", "create", flow_name, "--key", "same", "--json").row
    again = inside("runs", "create", flow_name, "--key", "same", "--label", "x", "--param", "n=1", "--json").row
    assert (again["outcome"], again["id"]) == ("existing", first["id"])
    assert sorted(again["mismatch"]) == ["labels", "parameters"]
    said = inside("runs", "create", flow_name, "--key", "same")
    assert said.out.startswith(f"existing {first['id']} {flow_name} / ")
    others = [inside("runs", "create", flow_name, *key, "--json").row["id"] for key in ([], [], ["--no-key"])]
    assert len({first["id"], *others}) == 4


def test_a_run_for_later(inside: Command, flow_name: str) -> None:
    inside("flows", "create", flow_name)
    done = inside("runs", "create", flow_name, "--at", "2030-12-01 09:00", "--zone", "Europe/Berlin")
    assert "Sun 1 Dec 2030 09:00:00 +01:00" in done.err
    assert "2030-12-01T08:00:00Z" in done.err
    (row,) = inside("runs", "list", "--filter", f"flow:{flow_name}", "--json").rows
    assert row["scheduled_start_time"] == "2030-12-01T08:00:00.000000+00:00"


def test_list_filters_sorts_and_pages(inside: Command, shared_wire: Wire, flow_name: str) -> None:
    flow = shared_wire.create_flow(flow_name)
    ids = [
        shared_wire.create_run(flow, scheduled_start_time=f"2026-11-0{day}T00:00:00Z", flow_run_name=f"n{day}")
        for day in (1, 2, 3)
    ]
    shared_wire.set_state(ids[1], 1, "Failed", "broken")
    words = ("runs", "list", "--json", "--filter")
    assert [row["name"] for row in inside(*words, f"flow:{flow_name}").rows] == ["n3", "n2", "n1"]
    assert [row["name"] for row in inside(*words, f"flow:{flow_name}", "--reverse", "--limit", "2").rows] == [
        "n1",
        "n2",
    ]
    assert [row["id"] for row in inside(*words, f"flow:{flow_name} state:failed").rows] == [ids[1]]
    assert [row["id"] for row in inside(*words, f"flow:{flow_name} re:n[13]\\b", "--sort", "name").rows] == [
        ids[2],
        ids[0],
    ]
    plain = inside("runs", "list", "--filter", f"flow:{flow_name} -state:failed").out.splitlines()
    assert [line.split("\t")[6] for line in plain] == [ids[2], ids[0]]


def test_show_and_history_by_the_beginning_of_an_id(inside: Command, shared_wire: Wire, flow_name: str) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name), parameters={"x": 1})
    shared_wire.set_state(run_id, 1, "Running", "go")
    shown = inside("runs", "show", run_id[:13].upper(), "--json").row
    assert (shown["id"], shown["version"], shown["parameters"]) == (run_id, 2, {"x": 1})
    history = inside("runs", "history", run_id[:13], "--json").rows
    assert [(row["version"], row["state"], row["message"]) for row in history][1] == (2, "Running", "go")
    assert history[0].keys() >= STATE_COLUMNS


def test_set_state_reads_says_what_it_read_and_sends_that_version(
    inside: Command, shared_wire: Wire, flow_name: str
) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name))
    done = inside("runs", "set-state", run_id, "running", "-m", "by hand", FLOWLATCH_ACTOR="mira@ops-2")
    assert done.code == 0
    assert done.out.splitlines()[0].startswith("read v1 Scheduled")
    assert "mine\tv2 Running: by hand, by mira@ops-2" in done.out
    row = inside("runs", "set-state", run_id, "Success", "--json").row
    assert (row["outcome"], row["base"]["version"], row["mine"]["version"]) == ("applied", 2, 3)
    assert row["base"].keys() == STATE_COLUMNS
    assert shared_wire.states(run_id) == ["Scheduled", "Running", "Success"]


def test_a_stale_version_is_a_conflict_and_5(shell: Command, shared_wire: Wire, flow_name: str) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name))
    shared_wire.set_state(run_id, 1, "Running", "one")
    shared_wire.set_state(run_id, 2, "Success", "two")
    done = shell("runs", "set-state", run_id, "Failed", "-m", "mine", "--expect-version", "1", "--json")
    assert (done.code, done.error["code"], done.row["outcome"]) == (5, "VERSION_CONFLICT", "conflict")
    row = done.row
    assert (row["base"]["version"], row["base"]["state"]) == (1, "Scheduled")
    assert (row["theirs"]["version"], row["theirs"]["state"], row["theirs"]["message"]) == (3, "Success", "two")
    assert (row["mine"]["state"], row["mine"]["message"]) == ("Failed", "mine")
    assert [(state["version"], state["state"]) for state in row["between"]] == [(2, "Running"), (3, "Success")]
    plain = shell("runs", "set-state", run_id, "Failed", "--expect-version", "1")
    assert (plain.code, plain.out.splitlines()[0]) == (5, f"conflict\t{run_id}")
    same = shell("runs", "set-state", run_id, "Success", "-m", "two", "--expect-version", "2", "--json")
    assert (same.code, same.row["kind"]) == (5, "already so")
    assert len(shared_wire.states(run_id)) == 3


def test_cancel_retry_and_delete(inside: Command, shared_wire: Wire, flow_name: str) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name), parameters={"x": [1]}, labels=["l"])
    row = inside("runs", "cancel", run_id, "--json").row
    assert (row["outcome"], row["base"]["state"], row["mine"]["state"]) == ("applied", "Scheduled", "Cancelled")
    retried = inside("runs", "retry", run_id, "--json").row
    assert (retried["outcome"], retried["retry_of"]) == ("created", run_id)
    assert (retried["parameters"], retried["labels"], retried["state"]) == ({"x": [1]}, ["l"], "Scheduled")
    shared_wire.set_state(retried["id"], 1, "Success")
    finished = inside("runs", "cancel", retried["id"], "--json")
    assert (finished.code, finished.row["outcome"], finished.error["code"]) == (1, "refused", "REJECTED")
    moved = inside("runs", "delete", run_id, "--expect-version", "1", "--json")
    assert (moved.code, moved.row["outcome"]) == (5, "conflict")
    assert inside("runs", "delete", run_id, "--json").row["outcome"] == "applied"
    assert shared_wire.run(run_id) is None
    gone = inside("runs", "delete", run_id, "--json")
    assert (gone.code, gone.row["outcome"], gone.error["code"]) == (4, "gone", "NOT_FOUND")


def test_undo_proposes_the_state_before_as_a_new_version(inside: Command, shared_wire: Wire, flow_name: str) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name))
    nothing = inside("runs", "undo", run_id, "--json")
    assert (nothing.code, nothing.row["outcome"], nothing.error["code"]) == (1, "refused", "REJECTED")
    assert "no state before v1" in nothing.error["message"]
    shared_wire.set_state(run_id, 1, {"type": "Failed", "message": "no disk", "context": {"by": "worker"}})
    shared_wire.set_state(run_id, 2, "Success", "sent by hand")
    stale = inside("runs", "undo", run_id, "--expect-version", "2", "--json")
    assert (stale.code, stale.row["outcome"], stale.row["theirs"]["state"]) == (5, "conflict", "Success")
    assert inside("runs", "undo", run_id, "--read-only").code == 7
    assert len(shared_wire.states(run_id)) == 3
    row = inside("runs", "undo", run_id, "--expect-version", "3", "--json").row
    assert (row["outcome"], row["base"]["version"], row["mine"]["version"]) == ("applied", 3, 4)
    last = inside("runs", "history", run_id, "--json").rows[-1]
    assert (last["state"], last["message"]) == ("Failed", "no disk")
    assert last["serialized_state"]["context"] == {"by": "worker"}
    act = next(row for row in inside("journal", "--json").rows if row["run_id"] == run_id)
    assert (act["outcome"], act["before"]["state"], act["after"]["state"]) == ("applied", "Success", "Failed")
    said = inside("runs", "undo", run_id, "-m", "it was sent after all")
    assert (said.code, said.out.splitlines()[0]) == (0, f"read v4 Failed ({flow_name} / {row_name(inside, run_id)})")
    assert shared_wire.states(run_id)[-2:] == ["Failed", "Success"]
    assert inside("runs", "show", run_id, "--json").row["state_message"] == "it was sent after all"
    unasked = inside("runs", "undo", "--filter", f"flow:{flow_name}")
    assert (unasked.code, unasked.err.count("--yes")) == (2, 1)
    many = inside("runs", "undo", "--filter", f"flow:{flow_name}", "--yes", "--json")
    assert (many.code, many.row["mine"]["state"]) == (0, "Failed")


def row_name(inside: Command, run_id: str) -> str:
    """Return the name of a run."""
    return str(inside("runs", "show", run_id, "--json").row["name"])


def test_logs_and_tasks(inside: Command, shared_wire: Wire, flow_name: str) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name, tasks=["extract", "load"]))
    shared_wire.log(run_id, "one", "two\nlines")
    shared_wire.log(run_id, "bad", level="ERROR")
    rows = inside("runs", "logs", run_id, "--json").rows
    assert [(row["level"], row["message"]) for row in rows] == [
        ("INFO", "one"),
        ("INFO", "two\nlines"),
        ("ERROR", "bad"),
    ]
    assert [row["message"] for row in inside("runs", "logs", run_id, "--level", "error", "--json").rows] == ["bad"]
    assert [row["message"] for row in inside("runs", "logs", run_id, "--limit", "1", "--json").rows] == ["bad"]
    assert "    lines" in inside("runs", "logs", run_id).out
    tasks = inside("runs", "tasks", run_id, "--json").rows
    assert sorted((row["task"]["slug"], row["state"]) for row in tasks) == [("extract", "Pending"), ("load", "Pending")]


def test_watch_and_follow_end_with_the_run(shared_server: ServerProcess, shared_wire: Wire, flow_name: str) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name))
    follow = [
        subprocess.Popen(
            [sys.executable, "-m", "flowlatch", "runs", *words, run_id],
            env=shared_server.env(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for words in (["watch", "--exit-status", "--json"], ["logs", "-f"])
    ]
    watch, logs = follow
    assert watch.stdout is not None
    assert '"Scheduled"' in watch.stdout.readline()
    shared_wire.set_state(run_id, 1, "Running")
    assert '"Running"' in watch.stdout.readline()
    shared_wire.log(run_id, "working")
    shared_wire.set_state(run_id, 2, "Failed", "no")
    said, _ = watch.communicate(timeout=20)
    assert '"Failed"' in said
    assert watch.returncode == 1
    told, _ = logs.communicate(timeout=20)
    assert (logs.returncode, told.count("working")) == (0, 1)


def test_archive_and_list_flows(inside: Command, flow_name: str) -> None:
    inside("flows", "create", flow_name, "--param", "n:int=1")
    assert inside("flows", "list", flow_name).out.split("\t")[4:] == ["n:int=1", "none\n"]
    assert inside("flows", "archive", flow_name, "--json").row["archived"] is True
    assert inside("flows", "list", flow_name, "--json").rows == []
    (archived,) = inside("flows", "list", flow_name, "--archived", "--json").rows
    refused = inside("runs", "create", archived["id"], "--json")
    assert (refused.code, refused.out, refused.error["code"]) == (1, "", "BAD_USER_INPUT")


def test_flows_tell_their_versions_and_the_schedule_of_their_group(
    inside: Command, shared_wire: Wire, flow_name: str
) -> None:
    first, second = shared_wire.create_flow(flow_name), shared_wire.create_flow(flow_name)
    query = "query($id: uuid!) { flow_by_pk(id: $id) { flow_group { id } } }"
    group = shared_wire.data(query, {"id": second})["flow_by_pk"]["flow_group"]["id"]
    mutation = "mutation($i: set_flow_group_schedule_input!) { set_flow_group_schedule(input: $i) { success } }"
    shared_wire.data(mutation, {"i": {"flow_group_id": group, "cron_clocks": [{"cron": "0 3 * * *"}]}})
    shown = inside("flows", "show", flow_name, "--json").row
    assert [(v["id"], v["version"], v["archived"]) for v in shown["versions"]] == [(second, 2, False), (first, 1, True)]
    assert (shown["is_group_schedule"], shown["schedule"]["clocks"][0]["cron"]) == (True, "0 3 * * *")
    assert inside("flows", "list", flow_name).out.split("\t")[5] == "off, set on the flow group\n"
    told = inside("flows", "show", flow_name).out
    assert "off, set on the flow group" in told
    (versions,) = [line.split()[1:] for line in told.splitlines() if line.startswith("versions")]
    assert [word for word in versions if word[0] in "va"] == ["v2", "v1", "archived"]


def test_the_same_work_in_a_pipe_with_jq(shared_server: ServerProcess, shared_wire: Wire, flow_name: str) -> None:
    flow = shared_wire.create_flow(flow_name)
    for number in range(3):
        shared_wire.set_state(shared_wire.create_run(flow, parameters={"n": number}), 1, "Failed", "no")
    script = f"""
        f() {{ "$PY" -m flowlatch "$@"; }}
        set -eo pipefail
        f runs list --json --filter 'flow:{flow_name} state:failed' | jq -r .id > "$FLOWLATCH_HOME/failed"
        f runs retry $(cat "$FLOWLATCH_HOME/failed") --json | jq -r .outcome
        f runs list --json --filter 'flow:{flow_name}' | jq -r .state | sort | uniq -c
    """
    done = subprocess.run(
        ["bash", "-c", script], env=shared_server.env(PY=sys.executable), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["created"] * 3 + ["3", "Failed", "3", "Scheduled"]


def test_acts_are_in_the_journal(inside: Command, shared_wire: Wire, flow_name: str) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name))
    inside("runs", "set-state", run_id, "Running", "-m", "why")
    inside("runs", "set-state", run_id, "Failed", "--expect-version", "1")
    acts = [row for row in inside("journal", "--json").rows if row["run_id"] == run_id]
    assert [(row["action"], row["outcome"]) for row in acts] == [("set_state", "conflict"), ("set_state", "applied")]
    assert acts[1]["before"]["version"] == 1
    assert acts[1]["after"]["message"] == "why" or acts[1]["after"]["version"] == 2


def test_a_conflict_is_told_in_local_time_and_once(
    shared_server: ServerProcess, shared_wire: Wire, flow_name: str
) -> None:
    run_id = shared_wire.create_run(shared_wire.create_flow(flow_name))
    for version, state in enumerate(("Running", "Failed"), 1):
        shared_wire.set_state(run_id, version, state)
    words = command_line("runs", "set-state", run_id, "Success", "--expect-version", "1")
    with Terminal(words, env=shared_server.env(TZ="Asia/Tokyo")) as terminal:
        terminal.wait_for("was expected")
        assert terminal.wait_ended() == 5
        told = [line.split() for line in terminal.lines if line.strip()]
    assert [words[:3] for words in told if words[0] in ("theirs", "between")] == [
        ["theirs", "v3", "Failed,"],
        ["between", "v2", "Running,"],
    ]
    assert all("+09:00" in words for words in told if words[0] in ("base", "theirs", "between"))


def test_lists_fit_a_terminal_of_80_columns(shared_server: ServerProcess, shared_wire: Wire, flow_name: str) -> None:
    flow = shared_wire.create_flow(f"{flow_name}-nightly-billing")
    run_id = shared_wire.create_run(flow, flow_run_name="fluffy-hippopotamus")
    shared_wire.set_state(run_id, 1, "Failed", "the bucket s3://billing-eu answers with 403 Forbidden")
    env = shared_server.env()
    execute(("runs", "set-state", run_id, "Success", "-m", "sent by hand, checked by hand"), env)
    execute(("runs", "set-state", run_id, "Failed", "--expect-version", "2"), env)
    for words, most in (
        (("runs", "list", "--filter", f"flow:{flow_name}*"), 2),
        (("runs", "history", run_id), 4),
        (("journal", "--limit", "2"), 4),
    ):
        with Terminal(command_line(*words), env=env, columns=80) as terminal:
            assert terminal.wait_ended() == 0
            terminal.read_for(0.1)
            shown = terminal.text.rstrip().splitlines()
        assert len(shown) == most, terminal.text
        if "history" not in words:
            assert run_id[:8] in terminal.text
        if "journal" in words:
            assert [line.partition(" set_state ")[2].split()[0] for line in shown[2:]] == ["v3"] * 2
    piped = execute(("runs", "list", "--filter", f"flow:{flow_name}*"), env).out
    assert piped.split("\t")[1:3] == [f"{flow_name}-nightly-billing", "fluffy-hippopotamus"]
