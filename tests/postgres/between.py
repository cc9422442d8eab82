"""What stands between a program and its database, and cuts a connection in the middle of a COMMIT."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.support.relay import Listener


class Between(Listener):
    """Stands between a program and its database, and cuts the connection that commits at a chosen moment."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._to = port
        self.cut_at = ""
        """`before`: COMMIT does not arrive; `after`: its answer does not; empty: nothing is cut."""
        self.spared = 0
        """Number of COMMITs that are left alone before that one."""
        self.cuts = 0
        self.stays_down = self.is_down = False
        """Whether nothing comes through after a cut, and whether that is so now."""

    def way(self, url: str) -> str:
        """Return the URL of a database behind it that leads through it."""
        return url.replace(f":{self._to}/", f":{self.port}/")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways, until a COMMIT while `cut_at` is set."""
        if self.is_down:
            return
        there = await asyncio.open_connection("127.0.0.1", self._to)
        back = asyncio.create_task(join_one(there[0], writer))
        try:
            while piece := await reader.read(65536):
                moment = self.cut_at if b"COMMIT" in piece else ""
                if moment and self.spared:
                    self.spared, moment = self.spared - 1, ""
                if moment:
                    self.cut_at = ""
                    self.cuts += 1
                    self.is_down = self.stays_down
                if moment == "before":
                    return
                if moment == "after":
                    back.cancel()
                there[1].write(piece)
                await there[1].drain()
                if moment == "after":
                    with suppress(asyncio.CancelledError):
                        await back
                    assert b"COMMIT" in await there[0].read(65536)
                    return
        finally:
            back.cancel()
            there[1].transport.abort()


async def join_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until their end."""
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
