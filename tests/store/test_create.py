"""Creating a run: defaults, labels, names, refusals. Source: contract.md §5."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowlatch.store.base import Origin, Refusal
from flowlatch.store.operations import flow_groups, flow_runs, flows
from tests.store.world import World


async def test_run_begins_scheduled_now_at_version_1(world: World) -> None:
    flow_id = await world.flow()
    answer = await world(flow_runs.create_flow_run, Origin(actor="ann"), flow_id=flow_id)
    row = await world.row("flow_run", answer["id"])
    now = "2026-03-02T09:00:00.000000+00:00"
    assert (row["state"], row["version"], row["scheduled_start_time"]) == ("Scheduled", 1, now)
    assert (row["state_start_time"], row["actor"], row["context"]) == (now, "ann", "{}")
    assert await world.history(answer["id"]) == [(1, "Scheduled")]
    state = json.loads((await world.row("flow_run_state", row["state_id"]))["serialized_state"])
    assert state["type"] == "Scheduled"
    assert state["start_time"] == now
    assert state["_result"] == {"type": "NoResultType"}
    assert answer == {"id": answer["id"], "replayed": False, "mismatch": [], "expires_at": None}


async def test_every_task_gets_a_pending_task_run_in_the_same_transaction(world: World) -> None:
    run_id = await world.run(await world.flow(tasks=[{"slug": "a-1", "cache_key": "c"}, {"slug": "b-1"}]))
    rows = await world.rows("SELECT * FROM task_run WHERE flow_run_id = :id ORDER BY seq", id=run_id)
    assert [(r["state"], r["version"], r["map_index"], r["cache_key"]) for r in rows] == [
        ("Pending", 0, -1, "c"),
        ("Pending", 0, -1, None),
    ]
    states = await world.rows("SELECT state, version FROM task_run_state")
    assert states == [{"state": "Pending", "version": 0}] * 2


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-05-01 12:30:00", "2026-05-01T12:30:00.000000+00:00"),
        ("2026-05-01T12:30:00+02:00", "2026-05-01T10:30:00.000000+00:00"),
        ("2020-01-01T00:00:00.123456789Z", "2020-01-01T00:00:00.123456+00:00"),
    ],
)
async def test_start_time_is_stored_in_utc_and_never_moves(world: World, given: str, stored: str) -> None:
    run_id = await world.run(scheduled_start_time=given)
    assert (await world.row("flow_run", run_id))["scheduled_start_time"] == stored
    await world.set(run_id, 1, "Scheduled", start_time="2027-01-01T00:00:00Z")
    row = await world.row("flow_run", run_id)
    assert row["scheduled_start_time"] == stored
    assert row["state_start_time"] == "2027-01-01T00:00:00.000000+00:00"


async def test_defaults_of_flow_group_and_caller_are_joined_and_falsy_ones_kept(world: World) -> None:
    parameters = [
        {"name": "zero", "required": False, "default": 0},
        {"name": "none", "required": False, "default": None},
        {"name": "empty", "required": False, "default": ""},
        {"name": "group", "required": False, "default": 1},
        {"name": "given", "required": False, "default": 1},
        {"name": "needed", "required": True, "default": None},
    ]
    flow_id = await world.flow(parameters=parameters)
    group = (await world.row("flow", flow_id))["flow_group_id"]
    defaults = {"group": 2, "given": 2, "needed": 2}
    await world(flow_groups.set_flow_group_default_parameters, flow_group_id=group, parameters=defaults)
    run_id = await world.run(flow_id, parameters={"given": 3, "fooBar": 10**30})
    assert json.loads((await world.row("flow_run", run_id))["parameters"]) == {
        "zero": 0,
        "none": None,
        "empty": "",
        "group": 2,
        "given": 3,
        "needed": 2,
        "fooBar": 10**30,
    }


async def test_missing_required_parameters_are_named_and_no_run_made(world: World) -> None:
    names = ["day", "region"]
    flow_id = await world.flow(parameters=[{"name": name, "required": True, "default": None} for name in names])
    with pytest.raises(Refusal, match="day, region") as refused:
        await world.run(flow_id, idempotency_key="k")
    assert refused.value.code == "BAD_USER_INPUT"
    assert await world.count("flow_run") == 0
    assert await world.count("idempotency") == 0


@pytest.mark.parametrize(
    ("flow", "group", "call", "expected"),
    [
        ({"run_config": {"labels": ["flow"]}}, {}, {"labels": ["b", "a", "b"]}, ["a", "b"]),
        ({"run_config": {"labels": ["flow"]}}, {}, {"labels": []}, []),
        ({"run_config": {"labels": ["flow"]}}, {"labels": ["group"]}, {"run_config": {"labels": ["call"]}}, ["call"]),
        ({"run_config": {"labels": ["flow"]}}, {"labels": ["group"]}, {"run_config": {}}, []),
        ({"run_config": {"labels": ["flow"]}}, {"labels": ["z", "group"]}, {}, ["group", "z"]),
        ({"run_config": {"labels": ["flow"]}}, {"run_config": {"labels": ["config"]}}, {}, ["config"]),
        ({"run_config": {"labels": ["flow"]}, "environment": {"labels": ["env"]}}, {}, {}, ["flow"]),
        ({"environment": {"labels": ["env"]}}, {}, {}, ["env"]),
        ({}, {}, {}, []),
    ],
)
async def test_labels_come_from_the_first_that_has_them(
    world: World, flow: dict[str, Any], group: dict[str, Any], call: dict[str, Any], expected: list[str]
) -> None:
    flow_id = await world.flow(**flow)
    group_id = (await world.row("flow", flow_id))["flow_group_id"]
    if "labels" in group:
        await world(flow_groups.set_flow_group_labels, flow_group_id=group_id, **group)
    if "run_config" in group:
        await world(flow_groups.set_flow_group_run_config, flow_group_id=group_id, **group)
    row = await world.row("flow_run", await world.run(flow_id, **call))
    assert json.loads(row["labels"]) == expected


async def test_run_config_is_given_else_the_groups_else_the_flows(world: World) -> None:
    flow_id = await world.flow(run_config={"from": "flow"})
    assert (await world.row("flow_run", await world.run(flow_id)))["run_config"] == '{"from":"flow"}'
    group_id = (await world.row("flow", flow_id))["flow_group_id"]
    await world(flow_groups.set_flow_group_run_config, flow_group_id=group_id, run_config={"from": "group"})
    assert (await world.row("flow_run", await world.run(flow_id)))["run_config"] == '{"from":"group"}'
    given = await world.run(flow_id, run_config={"from": "call"})
    assert (await world.row("flow_run", given))["run_config"] == '{"from":"call"}'


@pytest.mark.parametrize("name", [None, ""])
async def test_nameless_run_gets_two_words(world: World, name: str | None) -> None:
    row = await world.row("flow_run", await world.run(flow_run_name=name))
    assert len(row["name"].split("-")) == 2


async def test_names_are_stored_exactly_and_need_not_be_unique(world: World) -> None:
    flow_id = await world.flow()
    runs = [await world.run(flow_id, flow_run_name=" Ünïcode\t[b] ") for _ in range(2)]
    assert {(await world.row("flow_run", run))["name"] for run in runs} == {" Ünïcode\t[b] "}


async def test_version_group_means_its_newest_flow_that_is_not_archived(world: World) -> None:
    project = await world.project()
    old = await world.flow(project, name="etl")
    new = await world.flow(project, name="etl")
    group = (await world.row("flow", old))["version_group_id"]
    run = await world(flow_runs.create_flow_run, version_group_id=group)
    assert (await world.row("flow_run", run["id"]))["flow_id"] == new
    other = await world.flow()
    both = await world(flow_runs.create_flow_run, version_group_id=group, flow_id=other)
    assert (await world.row("flow_run", both["id"]))["flow_id"] == other


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, "BAD_USER_INPUT"),
        ({"flow_id": "00000000-0000-0000-0000-000000000000"}, "NOT_FOUND"),
        ({"version_group_id": "nothing"}, "NOT_FOUND"),
    ],
)
async def test_run_of_no_flow_is_refused(world: World, inputs: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        await world(flow_runs.create_flow_run, **inputs)
    assert refused.value.code == code


async def test_run_of_an_archived_flow_is_refused(world: World) -> None:
    flow_id = await world.flow()
    await world(flows.archive_flow, flow_id=flow_id)
    with pytest.raises(Refusal, match="archived") as refused:
        await world.run(flow_id)
    assert refused.value.code == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "inputs",
    [
        {"scheduled_start_time": "tomorrow"},
        {"scheduled_start_time": "2026-02-30 00:00:00"},
        {"scheduled_start_time": ""},
        {"parameters": [1]},
        {"parameters": {"x": float("nan")}},
        {"parameters": {"x": "\ud800"}},
        {"parameters": {"x": "a\0b"}},
        {"context": "text"},
        {"labels": "text"},
        {"labels": [1]},
        {"flow_run_name": "x" * 1025},
        {"flow_run_name": "\0"},
        {"flow_run_name": "\udfff"},
        {"idempotency_key": "ü" * 513},
        {"idempotency_key": "\0"},
    ],
)
async def test_bad_input_is_named_and_writes_nothing(world: World, inputs: dict[str, Any]) -> None:
    flow_id = await world.flow()
    with pytest.raises(Refusal, match=next(iter(inputs))) as refused:
        await world.run(flow_id, **inputs)
    assert refused.value.code == "BAD_USER_INPUT"
    assert await world.count("flow_run") == 0
