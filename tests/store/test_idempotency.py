"""One key, one run, for a sliding window, per flow. Source: contract.md §5, reliability.md P2, P3."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flowlatch.store.base import Refusal
from flowlatch.store.operations import flow_run_edits, flow_runs
from tests.store.world import START, Clock, World

DAY = timedelta(days=1)


async def create(world: World, flow_id: str, key: str | None, **inputs: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await world(flow_runs.create_flow_run, flow_id=flow_id, idempotency_key=key, **inputs)
    return answer


async def test_each_repeat_restarts_the_window(world: World) -> None:
    flow_id = await world.flow()
    first = await create(world, flow_id, "k")
    assert first["expires_at"] == "2026-03-03T09:00:00.000000+00:00"
    for _ in range(3):
        world.clock.move(hours=23)
        again = await create(world, flow_id, "k")
        assert (again["id"], again["replayed"]) == (first["id"], True)
    world.clock.move(hours=24)
    later = await create(world, flow_id, "k")
    assert (later["id"] != first["id"], later["replayed"]) == (True, False)
    assert [row["flow_run_id"] for row in await world.rows("SELECT * FROM idempotency")] == [later["id"]]
    assert (await world.row("flow_run", first["id"]))["idempotency_key"] == "k"  # the old run stays


@pytest.mark.parametrize(("ms", "replayed"), [(-1, True), (0, False), (1, False)])
async def test_window_ends_to_the_millisecond(world: World, ms: int, replayed: bool) -> None:
    flow_id = await world.flow()
    await create(world, flow_id, "k")
    world.clock.move(hours=24, milliseconds=ms)
    assert (await create(world, flow_id, "k"))["replayed"] is replayed


async def test_window_can_be_set(tmp_path: Path) -> None:
    world = await World.open(tmp_path, idempotency_window_s=3)
    flow_id = await world.flow()
    first = await create(world, flow_id, "k")
    for seconds, same in ((2, True), (2, True), (4, False)):
        world.clock.move(seconds=seconds)
        assert ((await create(world, flow_id, "k"))["id"] == first["id"]) is same
    await world.store.close()


async def test_clock_set_back_neither_revives_nor_shortens_a_key(world: World) -> None:
    flow_id = await world.flow()
    first = await create(world, flow_id, "k")
    world.clock.move(hours=25)
    second = await create(world, flow_id, "k")
    world.clock.move(hours=-25)
    third = await create(world, flow_id, "k")
    assert first["id"] != second["id"] == third["id"]
    assert third["expires_at"] == second["expires_at"]
    world.clock.move(hours=25 + 23)
    assert (await create(world, flow_id, "k"))["id"] == second["id"]


async def test_clock_before_the_database_counts_from_the_stored_time(tmp_path: Path) -> None:
    world = await World.open(tmp_path)
    flow_id = await world.flow()
    first = await create(world, flow_id, "k")
    await world.store.close()
    again = await World.open(tmp_path, Clock(START - timedelta(days=20_000)))
    assert again.store.now() == START
    assert (await create(again, flow_id, "k"))["id"] == first["id"]
    await again.store.close()


async def test_key_belongs_to_one_flow(world: World) -> None:
    one, two = await world.flow(), await world.flow()
    assert (await create(world, one, "k"))["id"] != (await create(world, two, "k"))["id"]


@pytest.mark.parametrize("key", [None, ""])
async def test_no_key_means_a_new_run_each_time(world: World, key: str | None) -> None:
    flow_id = await world.flow()
    assert (await create(world, flow_id, key))["id"] != (await create(world, flow_id, key))["id"]
    assert await world.rows("SELECT DISTINCT idempotency_key FROM flow_run") == [{"idempotency_key": None}]


async def test_keys_differ_by_case_form_and_spaces(world: World) -> None:
    flow_id = await world.flow()
    keys = ["a", "A", "a ", " a", "é", "e\u0301"]
    assert len({(await create(world, flow_id, key))["id"] for key in keys}) == len(keys)


async def test_key_of_a_deleted_run_is_free(world: World) -> None:
    flow_id = await world.flow()
    first = await create(world, flow_id, "k")
    await world(flow_run_edits.delete_flow_run, flow_run_id=first["id"])
    assert (await create(world, flow_id, "k"))["replayed"] is False


async def test_repeat_with_other_input_names_it_and_changes_nothing(world: World) -> None:
    flow_id = await world.flow()
    first = await create(world, flow_id, "k", parameters={"a": 1, "b": 2}, labels=["x", "y"])
    before = await world.row("flow_run", first["id"])
    same = await create(world, flow_id, "k", parameters={"b": 2, "a": 1}, labels=["y", "x"])
    assert same["mismatch"] == []
    other = await create(
        world, flow_id, "k", parameters={"a": 2}, scheduled_start_time="2027-01-01 00:00:00", flow_run_name="n"
    )
    assert other["id"] == first["id"]
    assert set(other["mismatch"]) == {"parameters", "labels", "scheduled_start_time", "flow_run_name"}
    assert await world.row("flow_run", first["id"]) == before
    assert (await create(world, flow_id, "k", parameters={"a": 1, "b": 2}, labels=["x", "y"]))["mismatch"] == []
    assert (await world.rows("SELECT uses FROM idempotency"))[0]["uses"] == 4


async def test_refused_repeat_does_not_slide_the_window(world: World) -> None:
    flow_id = await world.flow(parameters=[{"name": "p", "required": True}])
    await create(world, flow_id, "k", parameters={"p": 1})
    before = await world.rows("SELECT * FROM idempotency")
    world.clock.move(hours=1)
    with pytest.raises(Refusal):
        await create(world, flow_id, "k")
    assert await world.rows("SELECT * FROM idempotency") == before


async def test_32_creates_with_one_key_make_one_run(world: World) -> None:
    flow_id = await world.flow()
    answers = await asyncio.gather(*(create(world, flow_id, "k") for _ in range(32)))
    assert len({answer["id"] for answer in answers}) == 1
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 31
    assert await world.count("flow_run") == 1


async def test_two_stores_on_one_file_make_one_run(tmp_path: Path) -> None:
    one = await World.open(tmp_path)
    two = await World.open(tmp_path)
    flow_id = await one.flow()
    answers = await asyncio.gather(*(create(world, flow_id, "k") for _ in range(8) for world in (one, two)))
    assert len({answer["id"] for answer in answers}) == 1
    assert await one.count("flow_run") == 1
    await one.store.close()
    await two.store.close()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text("ab", max_size=2), values), st.dictionaries(st.text("ab", max_size=2), values))
def test_fingerprints_are_equal_just_when_inputs_are(one: dict[str, Any], two: dict[str, Any]) -> None:
    def typed(value: Any) -> Any:
        """Tell true from 1, which Python does not."""
        if isinstance(value, dict):
            return {key: typed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [typed(item) for item in value]
        return (type(value).__name__, value)

    first, second = (flow_runs.fingerprints({"parameters": value}) for value in (one, two))
    assert (first == second) is (typed(one) == typed(two))


class Keys(RuleBasedStateMachine):
    """Creates, repeats, deletions, restarts and clock jumps, against a model of what a key means."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.world = self.do(World.open(Path(self.directory.name), self.clock))
        self.flows = [self.do(self.world.flow()) for _ in range(2)]
        self.time = START
        """The time that counts: never earlier than any time used before."""
        self.live: dict[tuple[int, str], tuple[str, Any]] = {}
        """(number of the flow, key) → (run, end of life); no id of chance may decide which one is drawn."""
        self.runs: set[str] = set()

    def do(self, awaitable: Any) -> Any:
        return self.runner.run(awaitable)

    @rule(flow=st.integers(0, 1), key=st.sampled_from("aAb"))
    def create(self, flow: int, key: str) -> None:
        answer = self.do(create(self.world, self.flows[flow], key))
        self.time = max(self.time, self.clock.now)
        place = (flow, key)
        owner, ends = self.live.get(place, (None, self.time))
        if owner is not None and self.time < ends:
            assert (answer["id"], answer["replayed"]) == (owner, True)
        else:
            assert answer["id"] not in self.runs
            assert not answer["replayed"]
            self.runs.add(answer["id"])
        self.live[place] = (answer["id"], self.time + DAY)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.live)))
        run_id, _ = self.live.pop(place)
        assert self.do(self.world(flow_run_edits.delete_flow_run, flow_run_id=run_id)) == {"success": True}
        self.time = max(self.time, self.clock.now)
        self.runs.discard(run_id)

    @rule(step=st.sampled_from([1, -1, 3_600_000, 86_400_000, 86_399_999, 90_000_000, -90_000_000, -(10**12)]))
    def move_clock(self, step: int) -> None:
        self.clock.move(milliseconds=step)

    @rule()
    def restart(self) -> None:
        self.do(self.world.store.close())
        self.world = self.do(World.open(Path(self.directory.name), self.clock))

    @invariant()
    def every_run_is_there_and_no_other(self) -> None:
        rows = self.do(self.world.rows("SELECT id FROM flow_run"))
        assert {row["id"] for row in rows} == self.runs

    def teardown(self) -> None:
        self.do(self.world.store.close())
        self.runner.close()
        self.directory.cleanup()


TestKeys = Keys.TestCase
TestKeys.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
