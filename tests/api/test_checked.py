"""What became of a change, decided from what can be read afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlatch.api.checked import ChangeCheck, created_against, created_from, inputs_of
from flowlatch.api.filters import Where
from flowlatch.api.inputs import CreatedRun, new_run, run_query, state_draft
from flowlatch.api.watch import RELOAD_S, UpdatedPoll
from flowlatch.errors import BadInput, VersionConflict
from flowlatch.model.change import ChangeKind
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.state import State, StateDraft, StateType

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RUN = RunId("run")


def check(**draft: Any) -> ChangeCheck:
    return ChangeCheck(RUN, 7, StateDraft(**{"type": "Success", "message": "mine", **draft}))


def state(version: int, name: str = "Success", message: str | None = "mine", **more: Any) -> State:
    return State(name=name, message=message, version=version, timestamp=NOON, actor="bob", **more)


def test_ours_right_after_the_base_is_done() -> None:
    assert check().outcome([state(8)]) == 8
    assert check().outcome([state(8), state(9, "Failed", None)]) == 8, "what came later is another story"


def test_nothing_after_the_base_decides_nothing() -> None:
    assert check().outcome([]) is None


@pytest.mark.parametrize(
    "other",
    [
        state(8, "Failed"),
        state(8, message="theirs"),
        state(8, message=None),
        state(8, "success"),
    ],
)
def test_another_state_after_the_base_is_a_conflict(other: State) -> None:
    with pytest.raises(VersionConflict) as caught:
        check().outcome([other])
    conflict = caught.value
    assert not conflict.overwrote
    assert (conflict.expected_version, conflict.version, conflict.state) == (7, 8, other.name)
    assert conflict.current is not None
    assert conflict.current.actor == "bob"
    assert conflict.timestamp == NOON.isoformat()


def test_ours_behind_another_state_is_a_conflict_after_the_fact() -> None:
    with pytest.raises(VersionConflict, match="came in between and was overwritten") as caught:
        check().outcome([state(8, "Failed", "theirs"), state(9)])
    assert caught.value.overwrote
    assert (caught.value.version, caught.value.message) == (8, "theirs")


def test_start_time_and_further_keys_count() -> None:
    scheduled = check(type="Scheduled", start_time=NOON)
    assert scheduled.outcome([state(8, "Scheduled", start_time=NOON)]) == 8
    with pytest.raises(VersionConflict):
        scheduled.outcome([state(8, "Scheduled", start_time=NOON + timedelta(seconds=1))])
    with_context = check(extra={"context": {"a": 1}})
    assert with_context.outcome([state(8, serialized={"context": {"a": 1}, "other": 2})]) == 8
    with pytest.raises(VersionConflict):
        with_context.outcome([state(8, serialized={"context": {"a": 2}})])


def test_inputs_are_those_given_and_times_are_utc() -> None:
    run = new_run("flow", "key", scheduled_start_time=datetime(2026, 11, 24, 6), parameters={"a": None})
    assert inputs_of(run) == {
        "flow_id": "flow",
        "idempotency_key": "key",
        "scheduled_start_time": "2026-11-24T06:00:00+00:00",
        "parameters": {"a": None},
    }
    assert inputs_of(new_run("flow", "key", scheduled_start_time="2026-11-24 06:00:00"))["scheduled_start_time"] == (
        "2026-11-24 06:00:00"
    )
    assert new_run("flow", None).idempotency_key != new_run("flow", None).idempotency_key


def test_the_answer_to_a_create_is_read() -> None:
    entry = {"replayed": True, "mismatch": ["parameters"], "expires_at": "2026-11-25T12:00:00.000000+00:00"}
    created = CreatedRun.of(created_from("id", entry))
    assert created == "id"
    assert isinstance(created, str)
    assert (created.replayed, created.mismatch, created.expires_at) == (True, ["parameters"], NOON + timedelta(days=1))
    assert created_from("id", {"replayed": "yes", "mismatch": 3, "expires_at": "soon"}).expires_at is None


def test_a_server_that_does_not_tell_is_compared_with_the_run_the_key_had() -> None:
    before = {"id": "old", "parameters": {"a": 1, "b": 2}, "labels": ["x", "y"], "name": "n"}
    assert not created_against(before, "new", {}).replayed
    same = created_against(before, "old", {"parameters": {"a": 1}, "labels": ["y", "x"]})
    assert same.replayed
    assert same.mismatch == []
    other = created_against(before, "old", {"parameters": {"a": 1.5}, "labels": [], "flow_run_name": "m"})
    assert other.mismatch == ["parameters", "labels", "flow_run_name"]


@pytest.mark.parametrize(
    ("given", "document"),
    [
        ("Success", {"type": "Success"}),
        (StateType.FAILED, {"type": "Failed"}),
        ({"type": "Success", "message": "It worked!"}, {"type": "Success", "message": "It worked!"}),
        ({"type": "Cached", "context": {"a": [1]}}, {"type": "Cached", "context": {"a": [1]}}),
        (StateDraft(type="Paused", message="p"), {"type": "Paused", "message": "p"}),
    ],
)
def test_a_state_is_taken_in_any_form(given: Any, document: dict[str, Any]) -> None:
    assert state_draft(given, None).document() == document
    assert state_draft(given, "why").document()["message"] == "why"


@pytest.mark.parametrize("given", ["", {}, {"message": "x"}, {"type": 3}, {"type": "Success", "message": 3}])
def test_a_state_of_no_form_is_refused(given: Any) -> None:
    with pytest.raises(BadInput):
        state_draft(given, None)


def test_inputs_of_no_form_are_refused() -> None:
    with pytest.raises(BadInput, match="flow_id or version_group_id"):
        new_run(None, None)
    with pytest.raises(BadInput, match="labels: a list of texts"):
        new_run("flow", None, labels="prod")
    with pytest.raises(BadInput, match="parameters"):
        new_run("flow", None, parameters=[1])
    with pytest.raises(BadInput, match="limit"):
        run_query(None, {"limit": 0})


class Runs:
    """A list of runs that a poll looks at, and a clock."""

    def __init__(self) -> None:
        self.now = NOON
        self.rows: dict[RunId, FlowRun] = {}
        self.asked: list[Where] = []

    def put(self, name: str, version: int, *, created: datetime | None = None, updated: datetime | None = None) -> None:
        run_id = RunId(name)
        self.rows[run_id] = FlowRun(
            id=run_id, version=version, created=created or self.now, updated=updated or self.now
        )

    async def fetch(self, where: Where) -> list[FlowRun]:
        self.asked.append(where)
        edge = (
            datetime.fromisoformat(where["updated"]["_gte"]) if "updated" in where else datetime.min.replace(tzinfo=UTC)
        )
        ids = where.get("id", {}).get("_in", list(self.rows))
        found = [run for run in self.rows.values() if run.id in ids and run.updated is not None and run.updated >= edge]
        return sorted(found, key=lambda run: str(run.updated))

    def poll(self, **options: Any) -> UpdatedPoll:
        return UpdatedPoll(self.fetch, **{"since": None, "ids": None, **options}, now=lambda: self.now)


async def test_a_poll_finds_each_change_once_although_it_overlaps() -> None:
    runs = Runs()
    poll = runs.poll()
    runs.now += timedelta(seconds=1)
    runs.put("new", 1)
    runs.put("old", 5, created=NOON - timedelta(days=1))
    first = await poll.poll()
    assert {(change.id, change.kind) for change in first.changes} == {("new", "added"), ("old", "updated")}
    runs.now += timedelta(seconds=2)
    assert (await poll.poll()).changes == []
    runs.put("slow", 2, created=NOON - timedelta(days=1), updated=runs.now - timedelta(seconds=3))
    runs.put("new", 2)
    assert {(change.id, change.kind) for change in (await poll.poll()).changes} == {
        ("slow", "updated"),
        ("new", "updated"),
    }


async def test_a_poll_goes_on_from_a_cursor() -> None:
    runs = Runs()
    first = runs.poll()
    runs.now += timedelta(seconds=30)
    runs.put("a", 1)
    batch = await first.poll()
    runs.now += timedelta(seconds=30)
    runs.put("b", 1)
    again = await runs.poll(since=batch.cursor).poll()
    assert RunId("b") in {change.id for change in again.changes}
    with pytest.raises(BadInput, match="cursor"):
        runs.poll(since="no time")


async def test_a_poll_asks_for_a_reload_now_and_then_because_it_cannot_see_deletions() -> None:
    runs = Runs()
    poll = runs.poll()
    assert not (await poll.poll()).resync
    runs.now += timedelta(seconds=RELOAD_S)
    assert (await poll.poll()).resync
    assert not (await poll.poll()).resync


async def test_a_poll_of_certain_runs_sees_that_one_is_gone() -> None:
    runs = Runs()
    runs.put("a", 1)
    runs.put("b", 1)
    poll = runs.poll(ids=["a", "c"])
    await poll.poll()
    del runs.rows[RunId("a")]
    changes = (await poll.poll()).changes
    assert [(change.id, change.kind) for change in changes] == [("a", ChangeKind.GONE)]
    assert all(where == {"id": {"_in": ["a", "c"]}} for where in runs.asked)
