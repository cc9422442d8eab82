"""The real `prefect` command line against our server. Source: contract.md §2.5."""

from __future__ import annotations

import pytest

from tests.compat.prefect1 import PROGRAMS, Prefect1
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


def test_logs_are_shown_by_run(user: Prefect1, flows: dict[str, str], wire: Wire) -> None:
    run_id = user.call("create_run", flow_id=flows["success"], start_in_s=86_400)
    wire.log(run_id, "one line", "and another")
    done = user.cli("get", "logs", "--id", run_id)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one line" in done.stdout
    assert "and another" in done.stdout
    assert run_id in user.cli("describe", "flow-runs", "--id", run_id).stdout + run_id
