"""A real Prefect 3 server on SQLite as a process, and its REST interface to arrange and to look."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx

from tests.support.foreign_env import install
from tests.support.waiting import eventually

HERE = Path(__file__).resolve().parent
START_S, STOP_S, ANSWER_S = 90.0, 20.0, 30.0
SCHEMA = {
    "type": "object",
    "required": ["batch", "source"],
    "properties": {
        "batch": {"type": "integer", "title": "batch", "position": 0},
        "source": {"$ref": "#/definitions/Source", "position": 1},
        "mode": {"enum": ["full", "delta"], "type": "string", "default": "delta", "position": 2},
        "as_of": {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
            "default": None,
            "position": 3,
        },
    },
    "definitions": {"Source": {"type": "string"}},
}
"""Of the deployments made here; `source` is given by them."""


def prefect_python() -> Path:
    """Return the Python of an environment with the real server. Raises `CannotInstall`."""
    return install(".prefect3-venv", HERE / "requirements.lock", sys.executable, "prefect")


class Prefect3Server:
    """One running server; a context manager that ends it. What SQLite refuses under load is asked again."""

    def __init__(self, python: Path, home: Path, **settings: str) -> None:
        """`settings`: names without PREFECT_, such as SERVER_API_AUTH_STRING="admin:secret"."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.address}/api"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "FLOWLATCH_"))}
        self._env = {
            **kept,
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
            "DO_NOT_TRACK": "1",
            **{f"PREFECT_{name}": value for name, value in settings.items()},
        }
        self._command = [str(python), "-m", "prefect", "server", "start", "--no-ui"]
        self._command += ["--host", "127.0.0.1", "--port", str(self.port)]
        user, _, password = settings.get("SERVER_API_AUTH_STRING", "").partition(":")
        # A connection for each request: when something fails in the server behind an answer that it has sent in full,
        # as SQLite does under load, it cuts the connection, and with it a request that came after that answer.
        self.http = httpx.Client(
            base_url=self.url,
            timeout=30,
            trust_env=False,
            auth=(user, password) if user else None,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def token(self) -> None:
        """A server without credentials wants none."""

    def start(self) -> Prefect3Server:
        """Start it and wait until it is healthy."""
        self._process = subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self._is_healthy, START_S, "a healthy Prefect 3")
        return self

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _is_healthy(self) -> bool:
        try:
            return self.http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """Return the JSON of an answer. A request that was refused for the moment, or cut off, is sent again.

        So it must be one that may be done twice.
        """
        response = eventually(lambda: self._answer(method, path, content), ANSWER_S, f"an answer to {method} {path}")
        response.raise_for_status()
        return response.json() if response.content else None

    def _answer(self, method: str, path: str, content: Any) -> httpx.Response:
        try:
            response = self.http.request(method, path, json=content)
        except httpx.TransportError as error:
            raise AssertionError(repr(error)) from error
        assert response.status_code != 503, response.text
        return response

    def deployment(self, flow: str = "", name: str = "nightly") -> str:
        """Make a flow and a deployment of it; return the deployment's id."""
        flow_id = self.ask("POST", "/flows/", {"name": flow or f"flow-{uuid4().hex[:8]}"})["id"]
        made = {"name": name, "flow_id": flow_id, "tags": ["prod"], "parameters": {"source": "s3"}}
        deployment: str = self.ask("POST", "/deployments/", {**made, "parameter_openapi_schema": SCHEMA})["id"]
        return deployment

    def run(self, deployment: str, *, name: str = "", in_hours: float = 72, **more: Any) -> str:
        """Make a run that starts so much later, so that no service touches it; return its id."""
        details = {"scheduled_time": (datetime.now(UTC) + timedelta(hours=in_hours)).isoformat()}
        body = {
            "state": {"type": "SCHEDULED", "state_details": details},
            "parameters": {"batch": 1},
            "name": name or None,
            "idempotency_key": f"tests-{uuid4()}",
        }
        run_id: str = self.ask("POST", f"/deployments/{deployment}/create_flow_run", {**body, **more})["id"]
        return run_id

    def set_state(self, run_id: str, kind: str, name: str, message: str | None = None) -> None:
        """Set a state by force, as somebody else does."""
        mark = str(uuid4())
        state = {"type": kind, "name": name, "message": message, "state_details": {"transition_id": mark}}
        path, content = f"/flow_runs/{run_id}/set_state", {"state": state, "force": True}

        def is_set() -> bool:
            """By force the server would do it twice."""
            if mark not in (row["state_details"]["transition_id"] for row in self._rows(run_id)):
                self._answer("POST", path, content).raise_for_status()
            return True

        eventually(is_set, ANSWER_S, f"{name} set")

    def delete(self, run_id: str) -> None:
        """Delete a run, as somebody else does."""
        assert eventually(lambda: self._answer("DELETE", f"/flow_runs/{run_id}", None)).status_code in (204, 404)

    def states(self, run_id: str) -> list[str]:
        """Return the names of a run's states, oldest first."""
        return [row["name"] for row in self._rows(run_id)]

    def _rows(self, run_id: str) -> list[dict[str, Any]]:
        rows = self.ask("GET", f"/flow_run_states/?flow_run_id={run_id}")
        return sorted(rows, key=lambda row: row["timestamp"])

    def __enter__(self) -> Prefect3Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.http.close()
