"""Plain GraphQL over HTTP, as `curl` would send it: makes flows and runs without our own client in between."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

_TIMEOUT_S = 20.0
NO_AUTHORITY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP only: reading all authorities takes each of them 50 ms."""

CREATE_RUN = "mutation($input: create_flow_run_input!) { create_flow_run(input: $input) { id } }"
SET_STATE = "mutation($input: set_flow_run_state_input!) { set_flow_run_state(input: $input) { id version } }"
RUN = """query($id: uuid!) { flow_run_by_pk(id: $id) { id name flow_id version state state_message parameters context
  labels scheduled_start_time idempotency_key states(order_by: {version: asc}) { version state message actor } } }"""


class GraphQLErrors(AssertionError):
    """The answer holds errors; `errors` is the list of it."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(str(errors))
        self.errors = errors

    @property
    def code(self) -> str:
        """The code of the first error."""
        return str(self.errors[0]["extensions"]["code"])


class Wire:
    """One HTTP connection pool to one server. Thread-safe: async tests use `asyncio.to_thread(wire.create_run, …)`."""

    def __init__(self, url: str, token: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        self.http = httpx.Client(base_url=url, headers=sent, timeout=_TIMEOUT_S, trust_env=False, verify=NO_AUTHORITY)
        self._project_id: str | None = None

    def post(self, document: str, variables: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send one document and return the raw response. `more` goes into the body (`operationName`)."""
        return self.http.post("/graphql", json={"query": document, "variables": variables, **more})

    def data(self, document: str, variables: Mapping[str, Any] | None = None) -> Any:
        """Return `data` of the answer; raise `GraphQLErrors` when there are errors."""
        body = self.post(document, variables).json()
        if "errors" in body:
            raise GraphQLErrors(body["errors"])
        return body["data"]

    def project(self) -> str:
        """Return the id of the project `tests`, making it on first use."""
        if self._project_id is None:
            tenant = self.data("{ tenant { id } }")["tenant"][0]["id"]
            found = self.data('{ project(where: {name: {_eq: "tests"}}) { id } }')["project"]
            if not found:
                document = "mutation($input: create_project_input!) { create_project(input: $input) { id } }"
                made = self.data(document, {"input": {"tenant_id": tenant, "name": "tests"}})
                found = [made["create_project"]]
            self._project_id = str(found[0]["id"])
        return self._project_id

    def create_flow(
        self,
        name: str,
        parameters: Sequence[Mapping[str, Any]] = (),
        *,
        tasks: Sequence[str] = (),
        version_group_id: str | None = None,
    ) -> str:
        """Register a flow and return its id. A parameter is `{"name", "required", "default", "annotation"}`."""
        document = {
            "name": name,
            "parameters": [{"slug": p["name"], "required": False, "default": None, **p} for p in parameters],
            "tasks": [{"slug": slug, "name": slug} for slug in tasks],
            "edges": [],
            "schedule": None,
            "storage": None,
            "run_config": None,
        }
        mutation = "mutation($input: create_flow_input!) { create_flow(input: $input) { id } }"
        sent = {"project_id": self.project(), "serialized_flow": document, "version_group_id": version_group_id}
        return str(self.data(mutation, {"input": sent})["create_flow"]["id"])

    def create_run(self, flow_id: str, **inputs: Any) -> str:
        """Create a run (`parameters`, `idempotency_key`, `scheduled_start_time`, `labels`, …) and return its id."""
        return str(self.data(CREATE_RUN, {"input": {"flow_id": flow_id, **inputs}})["create_flow_run"]["id"])

    def set_state(self, run_id: str, version: int, state: str | Mapping[str, Any], message: str | None = None) -> int:
        """Set a run's state on `version` and return the new version. `state` is a type name or a state document."""
        document = {"type": state, "message": message} if isinstance(state, str) else dict(state)
        sent = {"flow_run_id": run_id, "version": version, "state": document}
        return int(self.data(SET_STATE, {"input": sent})["set_flow_run_state"]["version"])

    def run(self, run_id: str) -> Any:
        """Return a run with its history; None when there is none."""
        return self.data(RUN, {"id": run_id})["flow_run_by_pk"]

    def states(self, run_id: str) -> list[str]:
        """Return the names of all states a run has had, oldest first."""
        return [state["state"] for state in self.run(run_id)["states"]]

    def log(self, run_id: str, *messages: str, level: str = "INFO") -> None:
        """Write log lines of a run."""
        mutation = "mutation($input: write_run_logs_input!) { write_run_logs(input: $input) { success } }"
        logs = [{"flow_run_id": run_id, "message": text, "level": level, "name": "tests"} for text in messages]
        self.data(mutation, {"input": {"logs": logs}})

    def close(self) -> None:
        """Close all connections."""
        self.http.close()
