"""The real `prefect` command line against our server. Source: contract.md §2.5."""

from __future__ import annotations

import pytest

from tests.compat.prefect1 import PROGRAMS, Prefect1
from tests.support.waiting import eventually
from tests.support.wire import Wire


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("get", "flows"), "mapped"),
        (("get", "flows", "--all-versions", "--limit", "50"), "success"),
        (("get", "projects"), "compat"),
        (("get", "tasks", "--limit", "50"), "square"),
        (("get", "flow-runs"), "NAME"),
        (("get", "flow-runs", "--started"), "NAME"),
        (("describe", "flows", "--name", "mapped"), '"count"'),
        (("describe", "tasks", "--name", "mapped"), "square"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_reading_commands_show_what_is_there(
    user: Prefect1, flows: dict[str, str], command: tuple[str, ...], shown: str
) -> None:
    done = user.cli(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown in done.stdout


def test_projects_are_created_and_deleted(user: Prefect1, wire: Wire) -> None:
    for command in (("create", "project", "by-cli"), ("create", "project", "by-cli", "--skip-if-exists")):
        done = user.cli(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(wire.data('{ project(where: {name: {_eq: "by-cli"}}) { id } }')["project"]) == 1
    assert user.cli("delete", "project", "by-cli").returncode == 0
    assert wire.data('{ project(where: {name: {_eq: "by-cli"}}) { id } }')["project"] == []


def test_registering_by_command_skips_what_has_not_changed(user: Prefect1, flows: dict[str, str]) -> None:
    command = ("register", "--project", "compat", "--path", str(PROGRAMS / "flows.py"), "--name", "by-command")
    first, second = user.cli(*command), user.cli(*command)
    assert first.returncode == 0, first.stdout + first.stderr
    assert second.returncode == 0, second.stdout + second.stderr
    assert "1 registered" in first.stdout or "1 skipped" in first.stdout
    assert "1 skipped" in second.stdout


def test_a_run_is_created_by_name_with_parameters(user: Prefect1, flows: dict[str, str], wire: Wire) -> None:
    done = user.cli(
        "run", "--name", "success", "--project", "compat", "--param", "name=cli", "--label", "nobody", "--quiet"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = wire.run(done.stdout.strip().splitlines()[-1])
    assert run["parameters"] == {"name": "cli"}
    assert "nobody" in run["labels"]


@pytest.fixture
def told(user: Prefect1, flows: dict[str, str], wire: Wire) -> str:
    """The id of a run that nobody takes, with two log lines."""
    run_id = str(user.call("create_run", flow_id=flows["success"], start_in_s=86_400))
    wire.log(run_id, "one line", "and another")
    return run_id


@pytest.mark.parametrize("option", ["--id", "--name"])
def test_logs_are_shown_by_run(user: Prefect1, wire: Wire, told: str, option: str) -> None:
    done = user.cli("get", "logs", option, told if option == "--id" else wire.run(told)["name"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one line" in done.stdout
    assert "and another" in done.stdout


def test_a_run_is_described_and_listed_by_flow_and_project(user: Prefect1, wire: Wire, told: str) -> None:
    name = wire.run(told)["name"]
    described = user.cli("describe", "flow-runs", "--name", name)
    assert described.returncode == 0, described.stdout + described.stderr
    assert name in described.stdout
    assert "Scheduled" in described.stdout
    listed = user.cli("get", "flow-runs", "--flow", "success", "--project", "compat", "--limit", "200")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert name in listed.stdout
    other = user.cli("get", "flow-runs", "--flow", "mapped", "--project", "compat", "--limit", "200")
    assert name not in other.stdout


def test_a_tenant_is_created(user: Prefect1, wire: Wire) -> None:
    done = user.cli("server", "create-tenant", "--name", "By command", "--slug", "by-command")
    assert done.returncode == 0, done.stdout + done.stderr
    assert wire.data('{ tenant(where: {slug: {_eq: "by-command"}}) { name } }')["tenant"] == [{"name": "By command"}]


def test_a_run_is_executed_by_the_command_itself(user: Prefect1, flows: dict[str, str], wire: Wire) -> None:
    done = user.cli("run", "--id", flows["success"], "--param", "name=here", "--label", "nobody", "--execute")
    assert done.returncode == 0, done.stdout + done.stderr
    document = "query($id: uuid!) { flow_run(where: {flow_id: {_eq: $id}}) { parameters state } }"
    runs = wire.data(document, {"id": flows["success"]})["flow_run"]
    assert [run["state"] for run in runs if run["parameters"] == {"name": "here"}] == ["Success"]


@pytest.mark.usefixtures("agent")
def test_a_run_is_watched_to_its_end(user: Prefect1, flows: dict[str, str]) -> None:
    done = user.cli("run", "--id", flows["success"], "--param", "name=watched", "--watch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello watched" in done.stdout
    assert "Flow run succeeded" in done.stdout


def test_a_heartbeat_is_sent_by_its_command(user: Prefect1, wire: Wire, told: str) -> None:
    query = "query($id: uuid!) { flow_run_by_pk(id: $id) { heartbeat } }"
    assert wire.data(query, {"id": told})["flow_run_by_pk"]["heartbeat"] is None
    with user.background("heartbeat", "flow-run", "-i", told):
        eventually(lambda: wire.data(query, {"id": told})["flow_run_by_pk"]["heartbeat"], 30, "the heartbeat")
