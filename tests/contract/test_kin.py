"""Where a run comes from and what waits for what, as every backend finds it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from flowlatch.model.kin import How, Relation, key_from
from flowlatch.model.run import FlowId, NewRun, RunId, TaskEdge
from flowlatch.values import validated
from tests.contract.conftest import Place

TASKS = "query($id: uuid!) { task_run(where: {flow_run_id: {_eq: $id}}) { id task { slug } } }"
MAPPED = "mutation($input: get_or_create_task_run_info_input!) { get_or_create_task_run_info(input: $input) { id } }"
TASK_IDS = "query($id: uuid!) { task(where: {flow_id: {_eq: $id}}) { id slug } }"
REGISTER_EDGES = "mutation($input: register_edges_input!) { register_edges(input: $input) { success } }"


async def made(place: Place, flow: str, **inputs: object) -> RunId:
    """Create a run."""
    return (await place.backend.create_run(validated(NewRun, {"flow_id": flow, **inputs}))).id


async def found(place: Place, run_id: RunId) -> list[tuple[Relation, str, How | None, str]]:
    """Return the relatives of a run: what they are, their id, how made, by which task."""
    relatives = await place.backend.relatives(await place.backend.run(run_id))
    return [(each.relation, each.run.id, each.how, each.task) for each in relatives]


def flow_with_tasks(place: Place) -> str:
    """Register a flow with two tasks, one after the other."""
    flow = place.wire.create_flow(f"kin-{uuid4().hex[:10]}", tasks=["first", "second"])
    edge = {"upstream_task": {"slug": "first"}, "downstream_task": {"slug": "second"}, "key": None, "mapped": False}
    place.wire.data(REGISTER_EDGES, {"input": {"flow_id": flow, "serialized_edges": [edge]}})
    return flow


async def test_runs_made_by_tasks_and_their_parent_find_each_other(place: Place) -> None:
    flow = await asyncio.to_thread(flow_with_tasks, place)
    parent = await made(place, flow)
    tasks = {row["task"]["slug"]: row["id"] for row in place.wire.data(TASKS, {"id": parent})["task_run"]}
    ids = {row["slug"]: row["id"] for row in place.wire.data(TASK_IDS, {"id": flow})["task"]}
    sent = {"flow_run_id": parent, "task_id": ids["second"], "map_index": 3}
    mapped = place.wire.data(MAPPED, {"input": sent})["get_or_create_task_run_info"]["id"]
    child = await made(place, flow, idempotency_key=tasks["first"])
    mapped_child = await made(place, flow, idempotency_key=f"{mapped}-3")
    named = await made(place, flow, context={"parent_flow_run_id": parent})
    assert await found(place, child) == [(Relation.PARENT, parent, None, "first")]
    assert await found(place, mapped_child) == [(Relation.PARENT, parent, None, "second")]
    assert await found(place, named) == [(Relation.PARENT, parent, None, "")]
    assert await found(place, parent) == [(Relation.CHILD, each, None, "") for each in (child, mapped_child)]


async def test_retries_and_copies_and_their_source_find_each_other(place: Place) -> None:
    flow = await asyncio.to_thread(flow_with_tasks, place)
    source, other = await made(place, flow), await made(place, flow)
    keys = [key_from(how, source, token) for how, token in ((How.RETRY, "a"), (How.CLONE, "b"), (How.RETRY, "c"))]
    first, clone, second = [await made(place, flow, idempotency_key=key) for key in keys]
    await made(place, flow, idempotency_key=key_from(How.RETRY, other, "d"))
    assert await found(place, first) == [(Relation.SOURCE, source, How.RETRY, "")]
    assert await found(place, clone) == [(Relation.SOURCE, source, How.CLONE, "")]
    assert await found(place, source) == [
        (Relation.COPY, first, How.RETRY, ""),
        (Relation.COPY, second, How.RETRY, ""),
        (Relation.COPY, clone, How.CLONE, ""),
    ]


async def test_a_run_that_names_itself_or_nobody_that_exists_has_no_kin(place: Place) -> None:
    flow = await asyncio.to_thread(flow_with_tasks, place)
    nobody = str(uuid4())
    assert await found(place, await made(place, flow, idempotency_key=nobody)) == []
    assert await found(place, await made(place, flow, idempotency_key=f"retry-{nobody}-1")) == []
    assert await found(place, await made(place, flow, context={"parent_flow_run_id": nobody})) == []


async def test_edges_are_those_of_the_flow_version(place: Place) -> None:
    flow = await asyncio.to_thread(flow_with_tasks, place)
    assert await place.backend.task_edges(FlowId(flow)) == [TaskEdge(upstream="first", downstream="second")]
    assert await place.backend.task_edges(FlowId(str(uuid4()))) == []
