"""The one loop: connects, notices silence, tries again for ever, and says when all that is known is void.

The server here is a script, because it must fail at chosen moments; the tests of the screens use a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest

from flowlatch.api.backend import Backend, Capabilities, Kind, Locking, Traffic
from flowlatch.config import Profile, Target
from flowlatch.errors import ForeignServer, ReadOnly, Unauthorized, Unreachable
from flowlatch.live.follow import LONGEST_WAIT_S, Follow
from flowlatch.live.link import Event, LinkChanged, Phase, Reload, ReloadReason, RunsChanged
from flowlatch.live.session import Session, utc_now
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.run import RunId
from flowlatch.ui.commands import verbs
from tests.support.waiting import eventually_async

CHANGE = ChangeBatch(cursor="1", changes=[RunChange(id=RunId("a"), kind=ChangeKind.GONE)])


class ScriptedBackend:
    """Answers as told: `batches` are yielded one by one, an exception in between ends the stream."""

    def __init__(
        self,
        server_id: str = "db",
        *,
        skew_s: float = 0.0,
        read_only: bool = False,
        start_cursor: str | None = None,
    ) -> None:
        self.url = "http://scripted"
        self.capabilities = Capabilities(
            kind=Kind.FLOWLATCH, server_id=server_id, locking=Locking.ENFORCED, read_only=read_only
        )
        self.traffic = Traffic()
        self.batches: asyncio.Queue[ChangeBatch | Exception] = asyncio.Queue()
        if start_cursor is None:
            self.batches.put_nowait(ChangeBatch(cursor="0"))
        self.is_closed = False
        self.asked_for_time = 0
        self.is_resting = False
        self.silence: Exception | None = None
        self._skew = timedelta(seconds=skew_s)
        self.start_cursor = start_cursor
        self.watched_since: list[str | None] = []

    async def server_now(self) -> datetime:
        self.asked_for_time += 1
        if self.silence is not None:
            raise self.silence
        return self.now()

    def now(self) -> datetime:
        return utc_now() + self._skew

    async def watch(self, *, since: str | None = None) -> AsyncIterator[ChangeBatch]:
        self.watched_since.append(since)
        while True:
            batch = await self.batches.get()
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def rest(self, is_resting: bool) -> None:
        self.is_resting = is_resting

    async def cancel_run(self, run_id: RunId) -> str:
        return "Cancelled"

    async def aclose(self) -> None:
        self.is_closed = True


class Script:
    """Opens what it is told, in order; the last entry for ever."""

    def __init__(self, *answers: ScriptedBackend | Exception) -> None:
        self._answers = list(answers)
        self.tries = 0

    async def __call__(self) -> Backend:
        self.tries += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return cast(Backend, answer)


@contextlib.asynccontextmanager
async def following(script: Script, **options: Any) -> AsyncIterator[tuple[Follow, list[Event]]]:
    follow = Follow(script, clock=utc_now, jitter=lambda: 0.0, **options)
    events: list[Event] = []
    follow.listen(events.append)
    task = asyncio.ensure_future(follow.run())
    try:
        yield follow, events
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def reloads(events: list[Event]) -> list[ReloadReason]:
    return [event.reason for event in events if isinstance(event, Reload)]


async def test_it_connects_and_passes_changes_on() -> None:
    backend = ScriptedBackend()
    async with following(Script(backend)) as (follow, events):
        await eventually_async(lambda: follow.link.is_online)
        backend.batches.put_nowait(CHANGE)
        await eventually_async(lambda: RunsChanged(CHANGE) in events)
        assert reloads(events) == [ReloadReason.CONNECTED]
    assert backend.is_closed


async def test_a_batch_without_changes_is_a_sign_of_life_and_no_news() -> None:
    backend = ScriptedBackend()
    async with following(Script(backend)) as (follow, events):
        await eventually_async(lambda: follow.link.is_online)
        before = follow.link.last_data_at
        backend.batches.put_nowait(ChangeBatch(cursor="0"))
        await eventually_async(lambda: follow.link.last_data_at != before)
        assert not any(isinstance(event, RunsChanged) for event in events)


async def test_missed_changes_ask_for_a_reload() -> None:
    backend = ScriptedBackend()
    async with following(Script(backend)) as (_, events):
        backend.batches.put_nowait(ChangeBatch(cursor="9", resync=True))
        assert await eventually_async(lambda: ReloadReason.MISSED in reloads(events))


async def test_after_a_loss_it_says_why_and_comes_back_on_demand() -> None:
    first, second = ScriptedBackend(), ScriptedBackend()
    script = Script(first, Unreachable("connection refused"), second)
    async with following(script) as (follow, events):
        await eventually_async(lambda: follow.link.is_online)
        first.batches.put_nowait(Unreachable("reset by peer"))
        await eventually_async(lambda: follow.link.phase is Phase.OFFLINE)
        assert follow.link.reason == "reset by peer"
        assert follow.link.next_try_at is not None
        assert follow.link.last_data_at is not None
        since = follow.link.since
        follow.retry_now()
        await eventually_async(lambda: follow.link.reason == "connection refused")
        assert follow.link.since == since
        follow.retry_now()
        await eventually_async(lambda: follow.link.is_online)
        assert reloads(events) == [ReloadReason.CONNECTED, ReloadReason.RECONNECTED]
        assert not first.is_closed, "an answer may still be under way on the old connection"
    assert first.is_closed
    assert second.is_closed


async def test_another_database_voids_what_is_known() -> None:
    first, second = ScriptedBackend("one"), ScriptedBackend("two")
    async with following(Script(first, second)) as (follow, events):
        await eventually_async(lambda: follow.link.is_online)
        first.batches.put_nowait(Unreachable("gone"))
        await eventually_async(lambda: follow.link.phase is Phase.OFFLINE)
        follow.retry_now()
        assert await eventually_async(lambda: reloads(events)[-1:] == [ReloadReason.SERVER_CHANGED])


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (Unreachable("refused"), Phase.OFFLINE),
        (ForeignServer("not a GraphQL answer"), Phase.FOREIGN),
        (Unauthorized("wrong token"), Phase.UNAUTHORIZED),
        (ValueError("a bug of ours"), Phase.OFFLINE),
    ],
)
async def test_each_kind_of_failure_has_its_phase(error: Exception, phase: Phase) -> None:
    async with following(Script(error)) as (follow, _):
        await eventually_async(lambda: follow.link.phase is phase)
        assert follow.link.reason
        assert follow.link.next_try_at is not None


async def test_a_wrong_token_is_not_tried_in_a_storm() -> None:
    async with following(Script(Unauthorized("wrong token"))) as (follow, _):
        await eventually_async(lambda: follow.link.phase is Phase.UNAUTHORIZED)
        assert follow.link.next_try_at is not None
        assert follow.link.next_try_at - utc_now() > timedelta(seconds=LONGEST_WAIT_S / 2 - 1)


def _waits_after(script: Script, follow: Follow, tries: int) -> bool:
    return script.tries == tries and follow.link.next_try_at is not None


async def test_waits_double_up_to_thirty_seconds() -> None:
    script = Script(Unreachable("refused"))
    waits: list[float] = []
    async with following(script) as (follow, events):
        for tries in range(1, 9):
            await eventually_async(partial(_waits_after, script, follow, tries))
            failed = [event.link for event in events if isinstance(event, LinkChanged) and event.link.next_try_at]
            link = failed[-1]
            assert link.next_try_at is not None
            waits.append(follow.wait_s)
            follow.retry_now()
    assert waits == [1.0, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


async def test_silence_is_asked_about_and_then_is_a_loss() -> None:
    backend = ScriptedBackend()
    backend.silence = Unreachable("no answer")
    async with following(Script(backend), heartbeat_s=0.02) as (follow, _):
        await eventually_async(lambda: follow.link.phase is Phase.OFFLINE)
        assert follow.link.reason == "no answer"
        assert backend.asked_for_time == 1


async def test_a_silent_server_that_answers_stays_online() -> None:
    backend = ScriptedBackend()
    async with following(Script(backend), heartbeat_s=0.02) as (follow, events):
        await eventually_async(lambda: backend.asked_for_time > 4)
        assert follow.link.is_online
        assert reloads(events) == [ReloadReason.CONNECTED]


async def test_while_nobody_looks_silence_is_borne_longer_and_a_look_asks_at_once() -> None:
    first, second = ScriptedBackend(), ScriptedBackend()
    async with following(Script(first, second), heartbeat_s=60) as (follow, _):
        await eventually_async(lambda: follow.link.is_online)
        asked = first.asked_for_time
        follow.rest(True)
        assert first.is_resting
        follow.rest(False)
        await eventually_async(lambda: first.asked_for_time == asked + 1)
        follow.rest(True)
        first.batches.put_nowait(Unreachable("cut"))
        await eventually_async(lambda: not follow.link.is_online)
        follow.retry_now()
        await eventually_async(lambda: second.is_resting, what="the next connection to rest too")


async def test_the_end_of_the_stream_is_a_loss() -> None:
    class Ending(ScriptedBackend):
        async def watch(self, *, since: str | None = None) -> AsyncIterator[ChangeBatch]:
            yield ChangeBatch(cursor="0")

    async with following(Script(Ending())) as (follow, _):
        await eventually_async(lambda: follow.link.phase is Phase.OFFLINE)
        assert "ended the stream" in follow.link.reason


async def test_rows_need_not_wait_for_the_stream_where_connecting_told_its_start() -> None:
    backend = ScriptedBackend(start_cursor="7")
    async with following(Script(backend)) as (follow, events):
        await eventually_async(lambda: follow.link.is_online)
        assert reloads(events) == [ReloadReason.CONNECTED]
        backend.batches.put_nowait(CHANGE)
        await eventually_async(lambda: RunsChanged(CHANGE) in events)
        assert backend.watched_since == ["7"]
        assert len(reloads(events)) == 1


async def test_a_skewed_clock_is_measured() -> None:
    async with following(Script(ScriptedBackend(skew_s=86_400))) as (follow, _):
        await eventually_async(lambda: follow.link.is_online)
        assert abs(follow.clock_offset - timedelta(days=1)) < timedelta(seconds=2)


def test_freshness_has_its_limits() -> None:
    now = datetime(2026, 11, 24, 13, tzinfo=UTC)
    follow = Follow(Script(Unreachable("")), clock=lambda: now)
    assert follow.link.is_stale(now)
    link = type(follow.link)(Phase.ONLINE, since=now, last_data_at=now)
    ages = [9.9, 10.0, 14.9, 15.0]
    moments = [now + timedelta(seconds=age) for age in ages]
    assert [link.is_live(moment) for moment in moments] == [True, False, False, False]
    assert [link.is_stale(moment) for moment in moments] == [False, False, False, True]
    assert link.age_s(now - timedelta(hours=1)) == 0.0


@contextlib.asynccontextmanager
async def in_session(
    backend: ScriptedBackend, *, clock: Callable[[], datetime] = utc_now, **profile: Any
) -> AsyncIterator[Session]:
    session = Session(Target(Profile(name="p", url="http://x", **profile)), Script(backend), clock=clock)
    task = asyncio.ensure_future(session.run())
    try:
        await asyncio.wait_for(session.connected(), 5)
        yield session
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


Switch = Callable[[Session], None]


@pytest.mark.parametrize(
    ("profile", "backend_options", "reason"),
    [
        ({}, {}, None),
        ({"read_only": True}, {}, "read-only, set by the profile"),
        ({}, {"read_only": True}, "read-only, set by the server"),
    ],
)
async def test_writing_is_refused_below_the_keys(
    profile: dict[str, Any], backend_options: dict[str, Any], reason: str | None
) -> None:
    async with in_session(ScriptedBackend(**backend_options), **profile) as session:
        assert session.why_read_only == reason
        assert session.can_write is (reason is None)
        if reason:
            with pytest.raises(ReadOnly, match=reason):
                await session.backend.cancel_run(RunId("a"))
        else:
            assert await session.backend.cancel_run(RunId("a")) == "Cancelled"


async def test_the_operators_switch_holds_for_a_backend_taken_before() -> None:
    async with in_session(ScriptedBackend()) as session:
        backend = session.backend
        session.read_only = True
        with pytest.raises(ReadOnly):
            await backend.cancel_run(RunId("a"))
        session.read_only = False
        assert await backend.cancel_run(RunId("a")) == "Cancelled"


def test_without_a_link_there_is_no_backend() -> None:
    session = Session(Target(Profile(name="p", url="http://x")), Script(Unreachable("")))
    with pytest.raises(Unreachable):
        _ = session.backend
    assert not session.can_write


async def test_what_switches_changes_on_again_is_named_by_its_command() -> None:
    """A key may be bound to something else; the name of a command stays."""
    ahead = timedelta(0)
    async with in_session(ScriptedBackend(), clock=lambda: utc_now() + ahead) as session:
        session.read_only = True
        chosen = session.why_read_only
        ahead = timedelta(minutes=5)
        stale = session.why_read_only
    assert chosen == "read-only, set by you (:read-only switches it)"
    assert stale == "the data shown is old: :refresh first"
    assert {"read-only", "refresh"} <= {verb.name for verb in verbs()}
