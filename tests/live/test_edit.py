"""What becomes of a state change: every outcome and every kind of conflict, on a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from flowlatch.api import graphql_writes
from flowlatch.live.desk import Desk, told
from flowlatch.live.edit import (
    Agreed,
    Applied,
    Base,
    Conflict,
    ConflictKind,
    Gone,
    NotSent,
    Refused,
    Unknown,
    conflict_with,
    edit_state,
    is_no_change,
    look,
    settle,
    undo_of,
)
from flowlatch.live.parties import is_person, party
from flowlatch.live.session import Session
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.state import State, StateDraft
from tests.support.faults import Answer, FaultyServer, LoseAnswer, LoseRequest, Pass
from tests.support.server import ServerProcess
from tests.support.sessions import session_on
from tests.support.wire import Wire

FAILED = StateDraft(type="Failed", message="stuck on S3")


class Case:
    """A running run, a session that looks at it, and other parties who may change it."""

    def __init__(self, session: Session, server: ServerProcess, run_id: str) -> None:
        self.session = session
        self.desk = Desk(session)
        self.server = server
        self.run_id = run_id

    async def run(self) -> FlowRun:
        """Read the run."""
        return await self.session.backend.run(RunId(self.run_id))

    async def base(self) -> Base:
        """Freeze the run as it is."""
        return self.desk.base_of(await self.run())

    async def other(self, actor: str, version: int, state: str, message: str | None = None) -> None:
        """Another party sets a state."""
        wire = self.server.wire(**{"X-Flowlatch-Actor": actor})
        await asyncio.to_thread(wire.set_state, self.run_id, version, state, message)


def made_run(wire: Wire) -> str:
    """Make a run that is Running at version 2."""
    run_id = wire.create_run(wire.create_flow(f"edit-{uuid4()}"), flow_run_name="amber-lynx")
    wire.set_state(run_id, 1, "Running", "Running")
    return run_id


@pytest.fixture
async def run_id(shared_wire: Wire) -> str:
    """A running run, version 2."""
    return await asyncio.to_thread(made_run, shared_wire)


async def test_applies_on_the_base(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        outcome = await edit_state(session.backend, await case.base(), FAILED)
        assert outcome == Applied(3, "Failed")
        after = await case.run()
        assert (after.version, after.state, after.state_message) == (3, "Failed", "stuck on S3")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ([("agent-7", "Running", "retry 2 of 3")], ConflictKind.MOVED_ON),
        ([("agent-7", "Running", "retry 2 of 3"), ("agent-7", "Success", "done")], ConflictKind.FINISHED),
        ([("boss@laptop", "Success", "looks good")], ConflictKind.DECIDED),
        ([("boss@laptop", "Paused", "hold"), ("agent-7", "Running", None)], ConflictKind.DECIDED),
        ([("boss@laptop", "Failed", "other words")], ConflictKind.ALREADY_SO),
    ],
)
async def test_names_the_kind_of_conflict(
    shared_server: ServerProcess, run_id: str, changes: list[tuple[str, str, str | None]], kind: ConflictKind
) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        base = await case.base()
        for version, (actor, state, message) in enumerate(changes, start=2):
            await case.other(actor, version, state, message)
        outcome = await edit_state(session.backend, base, FAILED)
        assert isinstance(outcome, Conflict)
        assert outcome.kind is kind
        assert [state.name for state in outcome.between] == [state for _, state, _ in changes]
        assert outcome.theirs.actor == changes[-1][0]
        assert not outcome.is_written
        assert (await case.run()).version == 2 + len(changes), "a conflict writes nothing"


async def test_both_sides_wanting_the_same_is_no_conflict(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        base = await case.base()
        await case.other("boss@laptop", 2, "Failed", "stuck on S3")
        outcome = await edit_state(session.backend, base, FAILED)
        assert isinstance(outcome, Agreed)
        assert outcome.theirs.version == 3


async def test_applying_after_a_conflict_is_conditional_again(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        base = await case.base()
        await case.other("boss@laptop", 2, "Success")
        first = await edit_state(session.backend, base, FAILED)
        assert isinstance(first, Conflict)
        await case.other("boss@laptop", 3, "Cancelled")
        second = await edit_state(session.backend, first.rebased(), FAILED)
        assert isinstance(second, Conflict)
        assert second.theirs.name == "Cancelled"
        assert await edit_state(session.backend, second.rebased(), FAILED) == Applied(5, "Failed")


async def test_a_deleted_run_is_gone(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        base = await Case(session, shared_server, run_id).base()
        await session.backend.delete_run(RunId(run_id))
        assert await edit_state(session.backend, base, FAILED) == Gone()
        assert await look(session.backend, base, FAILED) == Gone()


async def test_a_refused_state_says_why(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        base = await Case(session, shared_server, run_id).base()
        outcome = await edit_state(session.backend, base, StateDraft(type="Nonsense"))
        assert isinstance(outcome, Refused)
        assert outcome.reason.startswith("state.type must be one of")


async def test_an_edit_of_another_database_is_never_sent(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        run = await case.run()
        outcome = await edit_state(session.backend, Base.of(run, server_id="another"), FAILED)
        assert isinstance(outcome, Refused)
        assert outcome.code == "SERVER_CHANGED"
        assert (await case.run()).version == run.version


async def test_a_lost_answer_is_read_back_as_applied(shared_server: ServerProcess, run_id: str) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        base = await Case(session, shared_server, run_id).base()
        proxy.on_request = lambda body: LoseAnswer() if b"set_flow_run_state" in body else None
        assert await edit_state(session.backend, base, FAILED) == Applied(3, "Failed")


async def test_an_outcome_that_cannot_be_read_is_unknown_until_settled(
    shared_server: ServerProcess, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphql_writes, "READ_BACK_PAUSES_S", (0.0,))
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        base = await Case(session, shared_server, run_id).base()
        lost = Answer(b"<h1>Bad Gateway</h1>", 502, "text/html", deliver=True)
        proxy.on_request = lambda body: lost if b"set_flow_run_state" in body or b"states" in body else None
        proxy.otherwise = Answer(b"", 502, None)
        backend = session.backend
        outcome = await edit_state(backend, base, FAILED)
        assert isinstance(outcome, Unknown), outcome
        assert isinstance(await settle(backend, base, FAILED), Unknown)
        proxy.on_request, proxy.otherwise = lambda body: Pass(), None
        settled = await settle(backend, base, FAILED)
        assert settled == Applied(3, "Failed", is_read_back=True)


async def test_settling_what_never_arrived_says_not_done(shared_server: ServerProcess, run_id: str) -> None:
    async with FaultyServer(upstream=shared_server.url) as proxy, session_on(shared_server, url=proxy.url) as session:
        case = Case(session, shared_server, run_id)
        base = await case.base()
        proxy.on_request = lambda body: LoseRequest() if b"set_flow_run_state" in body else None
        outcome = await edit_state(session.backend, base, FAILED)
        assert isinstance(outcome, Unknown)
        settled = await settle(session.backend, base, FAILED)
        assert isinstance(settled, NotSent)
        assert "still v2" in settled.reason


async def test_settling_names_the_conflict_when_somebody_else_came_first(
    shared_server: ServerProcess, run_id: str
) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        base = await case.base()
        await case.other("boss@laptop", 2, "Success")
        settled = await settle(session.backend, base, FAILED)
        assert isinstance(settled, Conflict)
        assert settled.kind is ConflictKind.DECIDED


async def test_the_desk_writes_intent_and_outcome(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        base = await case.base()
        await case.desk.set_state(base, FAILED)
        await case.desk.set_state(base, StateDraft(type="Success"))
        conflict, applied = session.journal.entries()
        assert (applied.outcome, applied.before and applied.before.version) == ("applied", 2)
        assert applied.after is not None
        assert (applied.after.version, applied.after.state) == (3, "Failed")
        assert applied.actor == "tester@here"
        assert applied.run_id == run_id
        assert conflict.outcome == "conflict"


async def test_delete_and_cancel_leave_a_run_that_moved_on(shared_server: ServerProcess, run_id: str) -> None:
    async with session_on(shared_server) as session:
        case = Case(session, shared_server, run_id)
        base = await case.base()
        await case.other("boss@laptop", 2, "Success")
        assert isinstance(await case.desk.delete(base), Conflict)
        assert isinstance(await case.desk.cancel(base, only_on_base=True), Conflict)
        assert (await case.run()).version == 3
        assert told(await case.desk.delete(await case.base()))[0] == "applied"
        assert await case.desk.delete(base) == Gone()


def state(name: str, version: int, actor: str | None = None, message: str | None = None) -> State:
    """A state of a history."""
    return State(name=name, version=version, actor=actor, message=message, timestamp=datetime(2026, 11, 24, tzinfo=UTC))


def test_a_server_behind_the_base_blocks_applying() -> None:
    base = Base(RunId("r"), state("Running", 9))
    outcome = conflict_with(base, FAILED, (state("Running", 4),))
    assert isinstance(outcome, Conflict)
    assert outcome.kind is ConflictKind.OLDER
    assert not outcome.may_apply
    assert outcome.between == ()


def test_the_same_state_at_an_older_version_is_no_agreement() -> None:
    base = Base(RunId("r"), state("Running", 9))
    assert isinstance(conflict_with(base, FAILED, (state("Failed", 4, message="stuck on S3"),)), Conflict)


def test_no_change_is_seen_before_it_is_sent() -> None:
    base = Base(RunId("r"), state("Failed", 3, message="stuck on S3"))
    assert is_no_change(base, FAILED)
    assert not is_no_change(base, StateDraft(type="Failed", message="else"))
    later = StateDraft(type="Scheduled", start_time=datetime(2027, 1, 1, tzinfo=UTC))
    assert not is_no_change(Base(RunId("r"), state("Scheduled", 1)), later)
    waiting = Base(RunId("r"), replace(state("Scheduled", 1), start_time=later.start_time))
    assert is_no_change(waiting, later)
    assert not is_no_change(waiting, StateDraft(type="Scheduled")), "no start means at once"


def test_undo_brings_back_what_belonged_to_the_state() -> None:
    document = {"type": "Success", "message": "done", "_result": {"type": "x"}, "__version__": "1"}
    before = replace(state("Success", 2, message="done"), serialized=document)
    undo = undo_of([state("Running", 1), before, state("Failed", 3)])
    assert undo == StateDraft(type="Success", message="done", extra={"_result": {"type": "x"}})
    assert undo_of([state("Scheduled", 1)]) is None
    assert undo_of([]) is None


@pytest.mark.parametrize(
    ("actor", "is_one", "shown"),
    [
        (None, False, "unknown"),
        ("mira@ops-2", True, "mira@ops-2"),
        ("me@here", True, "me@here (you)"),
        ("7c1f0000-1111-2222-3333-44445555e02a", False, "agent 7c1f…e02a"),
        ("worker ops-2", False, "worker ops-2"),
        ("ci", True, "ci"),
        ("evil\x1b[2J", True, "evil␛[2J"),
    ],
)
def test_parties(actor: str | None, is_one: bool, shown: str) -> None:
    assert is_person(actor) is is_one
    assert party(actor, me="me@here") == shown
