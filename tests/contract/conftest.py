"""One suite over every kind of server the client speaks to: each test gets a connected backend of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from flowlatch.api.graphql import GraphQLBackend
from flowlatch.api.http import Link
from flowlatch.config import Secret
from flowlatch.profile import checked_profile
from tests.support.prefect1 import Prefect1StandIn, prefect1_server
from tests.support.server import ServerProcess
from tests.support.wire import Wire

ACTOR = "tester"


@dataclass
class Place:
    """A server under test: a connected backend, and a plain connection to the real server below it."""

    backend: GraphQLBackend
    wire: Wire
    open: Callable[..., GraphQLBackend]
    """Makes another, unconnected, backend of the same server; takes fields of `Profile`."""
    stand_in: Prefect1StandIn | None = None
    """Set for Prefect 1."""

    @property
    def is_ours(self) -> bool:
        """True when the backend talks to our server directly."""
        return self.stand_in is None


def opener(url: str, token: str | None) -> Callable[..., GraphQLBackend]:
    """Return a function that makes backends for `url`."""

    def make(**options: object) -> GraphQLBackend:
        profile = checked_profile({"name": "test", "url": url, "poll_s": 1, **options})
        link = Link(profile, url, token=Secret(token) if token else None, actor=ACTOR)
        return GraphQLBackend(profile, link, has_auth=token is not None)

    return make


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> object:
    """One real server below all backends, with keys that practically never end."""
    with ServerProcess(tmp_path_factory.mktemp("contract"), "--idempotency-window", "24h") as server:
        yield server


@pytest.fixture(params=["flowlatch", "prefect1"])
async def place(request: pytest.FixtureRequest, real_server: ServerProcess) -> AsyncIterator[Place]:
    """Return the server under test."""
    if request.param == "flowlatch":
        make = opener(real_server.url, real_server.token)
        backend = make()
        await backend.connect()
        yield Place(backend, real_server.wire(), make)
        await backend.aclose()
        return
    async with prefect1_server(real_server.url, real_server.token) as (url, app):
        make = opener(url, None)
        backend = make()
        await backend.connect()
        yield Place(backend, real_server.wire(), make, app)
        await backend.aclose()
