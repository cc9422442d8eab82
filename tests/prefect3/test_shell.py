"""The commands on a real Prefect 3 server."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.cli.conftest import Command, Done, execute
from tests.prefect3.server import Prefect3Server
from tests.support.server import clean_environment


@pytest.fixture
def shell(prefect3: Prefect3Server, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Return `shell(*words)`: a process of its own on that server."""
    env = clean_environment(tmp_path_factory.mktemp("home"), FLOWLATCH_SERVER=prefect3.address)
    return lambda *words: execute(words, env)


def test_a_morning_from_the_shell(shell: Command, prefect3: Prefect3Server) -> None:
    flow = f"shell-{uuid4().hex[:6]}"
    deployment = prefect3.deployment(flow)
    created = shell("runs", "create", f"{flow}/nightly", "--param", "batch=4", "--at", "in 3h", "--key", flow, "--json")
    assert created.code == 0, created.err
    run_id = created.row["id"]
    again = shell("runs", "create", f"{flow}/nightly", "--param", "batch=4", "--at", "in 3h", "--key", flow, "--json")
    assert again.row["id"] == run_id

    listed: Done = shell("runs", "list", "--filter", f"flow:{flow}", "--json")
    (row,) = listed.rows
    assert (row["id"], row["state"]) == (run_id, "Scheduled")
    done = shell("runs", "set-state", run_id, "completed", "-m", "by hand", "--expect-version", str(row["version"]))
    assert done.code == 0, done.err
    assert prefect3.states(run_id) == ["Scheduled", "Completed"]

    stale = shell("runs", "set-state", run_id, "Failed", "--expect-version", str(row["version"]), "--json")
    assert (stale.code, stale.error["code"]) == (5, "VERSION_CONFLICT")
    assert prefect3.states(run_id) == ["Scheduled", "Completed"]

    unknown = shell("runs", "set-state", run_id, "Success")
    assert unknown.code == 2
    assert "Completed" in unknown.err
    shown = shell("runs", "history", run_id)
    assert "by hand" in shown.out
    retried = shell("runs", "retry", run_id, "--yes", "--json")
    assert retried.code == 0, retried.err
    assert len(prefect3.ask("POST", "/flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}})) == 2


def test_a_server_that_is_none_is_told(shell: Command, prefect3: Prefect3Server) -> None:
    done = execute(("runs", "list", "--server", f"{prefect3.address}/nothing/api"), None)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert shell("doctor").code == 0
    assert "prefect3" in shell("doctor").out
