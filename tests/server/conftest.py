"""What the tests of the wire share: one running server with a flow of its own for each module, and raw requests."""

from __future__ import annotations

import http.client
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.server import ServerProcess
from tests.support.sockets import Socket, opened
from tests.support.wire import Wire


@pytest.fixture(scope="module")
def wire(shared_server: ServerProcess) -> Wire:
    """A connection to the shared server. Tests here make flows and runs of their own, so one server serves all."""
    return shared_server.wire()


@pytest.fixture(scope="module")
def flow_id(wire: Wire, request: pytest.FixtureRequest) -> str:
    """A flow without parameters, one for each module."""
    return wire.create_flow(f"flow of {request.module.__name__}")


@pytest.fixture
def run_id(wire: Wire, flow_id: str) -> str:
    """A fresh run of that flow, Scheduled at version 1."""
    return wire.create_run(flow_id)


@pytest.fixture
def as_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start servers as the command does, in an interpreter of their own: for tests of the start."""
    monkeypatch.setattr(ServerProcess, "nursery", None)


@dataclass(frozen=True)
class Reply:
    """A response taken byte for byte."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def raw(
    server: ServerProcess,
    method: str,
    path: str,
    headers: Mapping[str, str | None] | None = None,
    body: bytes = b"",
    *,
    authorised: bool = True,
) -> Reply:
    """Send exactly these headers (None leaves out one of ours) and return the reply."""
    sent: dict[str, str | None] = {
        "Host": f"127.0.0.1:{server.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)) if body or method == "POST" else None,
        **(server.headers if authorised else {}),
        **(headers or {}),
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def one_error(body: Any) -> dict[str, Any]:
    """Return the first error of an answer after checking the shape that every answer with errors has."""
    errors = body["errors"]
    assert 1 <= len(errors) <= 10
    for error in errors:
        assert isinstance(error["message"], str)
        assert len(error["message"]) < 500
        assert isinstance(error["extensions"]["code"], str)
    assert isinstance(errors[0], dict)
    return errors[0]


@pytest.fixture
async def socket(shared_server: ServerProcess) -> AsyncIterator[Socket]:
    """An open socket after its handshake."""
    async with opened(shared_server) as open_socket:
        await open_socket.init()
        yield open_socket
