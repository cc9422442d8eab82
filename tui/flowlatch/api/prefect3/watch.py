"""Changes of a Prefect 3 server: its socket of events for speed, a slow poll for truth (prefect3.md §2).

Events do not tell of deletions, new names and tags, and are dropped silently when many wait: the list is loaded anew
every half minute. Without the socket, what is not finished and what has just finished is asked for every few seconds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from flowlatch.api.http import CONNECT_S, Link, reason_of
from flowlatch.api.pace import Pace
from flowlatch.api.prefect3.writes import Heard
from flowlatch.errors import Unreachable
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.run import FlowRun, RunId

RELOAD_S = 30.0
"""While events arrive, how often the page is loaded anew all the same."""
SIGN_OF_LIFE_S = 5.0
TOGETHER_S = 0.05
"""Events that come so close are asked about at once."""
OVERLAP = timedelta(seconds=60)
FAR = timedelta(days=366)
PING_S = 20.0
PREFIX = "prefect.flow-run."
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
UNFINISHED: dict[str, Any] = {
    "state": {"type": {"not_any_": ["COMPLETED", "FAILED", "CANCELLED", "CRASHED"]}},
}

Fetch = Callable[[dict[str, Any], str], Awaitable[list[FlowRun]]]
"""Takes a filter body and a sort and returns the runs."""


class NoEvents(Exception):
    """The socket cannot be had: poll instead."""


async def changes(
    link: Link,
    fetch: Fetch,
    heard: Heard,
    *,
    token: Callable[[], str | None],
    ids: Sequence[RunId] | None,
    pace: Pace,
    now: Callable[[], datetime],
) -> AsyncGenerator[ChangeBatch, None]:
    """Yield changes, for ever; an empty batch is a sign of life. Ends by raising `Unreachable`."""
    yield ChangeBatch(cursor=now().isoformat())
    wanted = set(ids) if ids is not None else None
    while True:
        try:
            async with aclosing(_heard(link, fetch, heard, token, wanted, now)) as batches:
                async for batch in batches:
                    yield batch
        except NoEvents:
            async with aclosing(_polled(fetch, wanted, pace, now)) as batches:
                async for batch in batches:
                    yield batch


async def _heard(
    link: Link,
    fetch: Fetch,
    heard: Heard,
    token: Callable[[], str | None],
    ids: set[RunId] | None,
    now: Callable[[], datetime],
) -> AsyncGenerator[ChangeBatch, None]:
    client = await asyncio.to_thread(import_module, "websockets.asyncio.client")
    from websockets.exceptions import WebSocketException

    url = "ws" + link.url.removeprefix("http") + "/events/out"
    try:
        socket = await client.connect(
            url,
            subprotocols=["prefect"],
            ssl=link.ssl_context,
            proxy=link.proxy.url if link.proxy else None,
            open_timeout=CONNECT_S,
            close_timeout=0.5,
            ping_interval=PING_S,
            max_size=MAX_MESSAGE_BYTES,
        )
    except (WebSocketException, OSError, TimeoutError) as error:
        raise NoEvents from error
    heard.listeners += 1
    try:
        await _greet(socket, token(), now())
        loop = asyncio.get_running_loop()
        reload_at = loop.time() + RELOAD_S
        yield ChangeBatch(cursor=now().isoformat(), resync=True)  # what came between page and socket
        async for events in _together(socket):
            for event in events:
                heard.note(str(event.get("id")), event.get("follows"))
            if loop.time() >= reload_at:
                reload_at = loop.time() + RELOAD_S
                yield ChangeBatch(cursor=now().isoformat(), resync=True)
                continue
            touched = {run_id for event in events if (run_id := _run_of(event)) and (ids is None or run_id in ids)}
            yield ChangeBatch(cursor=now().isoformat(), changes=await _rows_of(touched, fetch))
    except WebSocketException as error:
        raise Unreachable(f"{link.where}: the live connection failed ({reason_of(error)})") from error
    finally:
        heard.listeners -= 1
        await socket.close()


async def _greet(socket: Any, token: str | None, now: datetime) -> None:
    """Say who we are and what we want. Raises `NoEvents` when the server does not take it."""
    from websockets.exceptions import WebSocketException

    await socket.send(json.dumps({"type": "auth", "token": token}))
    try:
        async with asyncio.timeout(CONNECT_S):
            answer = json.loads(await socket.recv())
    except (WebSocketException, OSError, TimeoutError, ValueError) as error:
        raise NoEvents from error
    if not isinstance(answer, dict) or answer.get("type") != "auth_success":
        raise NoEvents
    # Without an end far ahead the server takes "until now" and never sends anything.
    occurred = {"since": (now - OVERLAP).isoformat(), "until": (now + FAR).isoformat()}
    wanted = {"event": {"prefix": [PREFIX]}, "occurred": occurred}
    await socket.send(json.dumps({"type": "filter", "backfill": False, "filter": wanted}))


async def _together(socket: Any) -> AsyncGenerator[list[dict[str, Any]], None]:
    """Yield events that come close together, and an empty list now and then."""
    loop = asyncio.get_running_loop()
    while True:
        events: list[dict[str, Any]] = []
        until = loop.time() + SIGN_OF_LIFE_S
        while (left := until - loop.time()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await socket.recv()
            except TimeoutError:
                break
            event = _event(message)
            if event is None:
                continue
            if not events:
                until = loop.time() + TOGETHER_S
            events.append(event)
        yield events


def _event(message: Any) -> dict[str, Any] | None:
    try:
        said = json.loads(message)
    except ValueError:
        return None
    event = said.get("event") if isinstance(said, dict) and said.get("type") == "event" else None
    return event if isinstance(event, dict) else None


def _run_of(event: dict[str, Any]) -> RunId | None:
    resource = event.get("resource")
    name = resource.get("prefect.resource.id") if isinstance(resource, dict) else None
    if isinstance(name, str) and name.startswith(PREFIX):
        return RunId(name.removeprefix(PREFIX))
    return None


async def _rows_of(touched: set[RunId], fetch: Fetch) -> list[RunChange]:
    """Read the runs that events were about; one that is gone by then is told so."""
    if not touched:
        return []
    runs = {run.id: run for run in await fetch({"flow_runs": {"id": {"any_": sorted(touched)}}}, "NAME_ASC")}
    gone = [RunChange(id=run_id, kind=ChangeKind.GONE) for run_id in touched - runs.keys()]
    return [RunChange(id=run.id, kind=ChangeKind.UPDATED, run=run) for run in runs.values()] + gone


async def _polled(
    fetch: Fetch, ids: set[RunId] | None, pace: Pace, now: Callable[[], datetime]
) -> AsyncGenerator[ChangeBatch, None]:
    """Poll for about a minute, then end, so that the socket is tried again."""
    seen: dict[RunId, tuple[int, datetime | None]] = {}
    asked_at = now()
    for _ in range(max(int(2 * RELOAD_S / pace.poll_s), 1)):
        began = now()
        runs = await _news(fetch, ids, asked_at - OVERLAP)
        asked_at = began
        fresh = [run for run in runs if seen.get(run.id) != (run.version, run.updated)]
        seen |= {run.id: (run.version, run.updated) for run in runs}
        found = [RunChange(id=run.id, kind=ChangeKind.UPDATED, run=run) for run in fresh]
        if ids is not None:
            gone = ids & seen.keys() - {run.id for run in runs}
            for run_id in gone:
                del seen[run_id]
                found.append(RunChange(id=run_id, kind=ChangeKind.GONE))
        yield ChangeBatch(cursor=began.isoformat(), changes=found)
        await pace.wait()
    yield ChangeBatch(cursor=now().isoformat(), resync=True)


async def _news(fetch: Fetch, ids: set[RunId] | None, since: datetime) -> list[FlowRun]:
    if ids is not None:
        return await fetch({"flow_runs": {"id": {"any_": sorted(ids)}}}, "NAME_ASC")
    ended = {"end_time": {"after_": since.astimezone(UTC).isoformat()}}
    unfinished, finished = await asyncio.gather(
        fetch({"flow_runs": UNFINISHED}, "START_TIME_DESC"), fetch({"flow_runs": ended}, "END_TIME_DESC")
    )
    return [*unfinished, *finished]
