"""The backend for Prefect 3 servers; keeps `api.backend.Backend`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from flowlatch.api.backend import Capabilities, Kind, Locking
from flowlatch.api.connection import Connection
from flowlatch.api.http import Link
from flowlatch.api.prefect3 import watch
from flowlatch.api.prefect3.call import RestCaller
from flowlatch.api.prefect3.writes import SETTABLE, Prefect3Writes
from flowlatch.config import Profile
from flowlatch.errors import ForeignServer, Rejected
from flowlatch.model.change import ChangeBatch
from flowlatch.model.run import FlowRun, RunId

POLL_ROWS = 400


class Prefect3Backend(Connection, Prefect3Writes):
    """A connection to one Prefect 3 server, by the address of its API."""

    def __init__(
        self,
        profile: Profile,
        link: Link,
        *,
        has_auth: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        Connection.__init__(self, profile, link, has_auth=has_auth, sleep=sleep)
        Prefect3Writes.__init__(self, RestCaller(link), sleep=sleep)

    async def connect(self) -> Capabilities:
        """Probe the server; `/api` is put behind an address without a path."""
        if self.url.count("/") == 2:
            self.url = self._link.url = self.url + "/api"
        try:
            is_healthy = await self._call.get("/health") is True
        except Rejected as error:
            raise ForeignServer(f"{self._link.where}: not a Prefect 3 server ({error})") from error
        if not is_healthy:
            raise ForeignServer(f"{self._link.where}: not a Prefect 3 server")
        version = await self._call.get("/admin/version")
        await self._call.begin()
        self._is_read_only = self._profile.read_only
        self._capabilities = Capabilities(
            kind=Kind.PREFECT3,
            version=version if isinstance(version, str) else "",
            locking=Locking.CHECKED,
            has_push=True,
            has_history_versions=True,
            read_only=self._profile.read_only,
            auth=self._has_auth,
            states=SETTABLE,
        )
        return self._capabilities

    def watch(self, *, since: str | None = None, ids: Sequence[RunId] | None = None) -> AsyncIterator[ChangeBatch]:
        """Yield changes as they come; a cursor of an earlier stream is answered by loading anew."""
        return watch.changes(
            self._link,
            self._fetched,
            self._heard,
            token=self._link.token_text,
            ids=ids,
            pace=self._pace,
            now=self.now,
        )

    async def _fetched(self, body: dict[str, Any], sort: str) -> list[FlowRun]:
        return (await self._slice(body, sort, 0, POLL_ROWS))[0]

    async def graphql(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Refuse: the server has no GraphQL."""
        raise Rejected("Prefect 3 servers do not speak GraphQL", "BAD_USER_INPUT")
