"""Projects, registration, archiving, flow groups. Source: contract.md §2.2, §5."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from flowlatch.store.base import Origin, Refusal
from flowlatch.store.operations import flow_documents, flow_groups, flows, tenants
from tests.store.world import World


async def refusal_of(awaitable: Any) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await awaitable
    return refused.value


async def register(world: World, project: str, name: str = "etl", **inputs: Any) -> str:
    document = inputs.pop("document", {"name": name})
    return str((await world(flows.create_flow, project_id=project, serialized_flow=document, **inputs))["id"])


async def test_a_default_tenant_is_there_from_the_start(world: World) -> None:
    rows = await world.rows("SELECT name, slug, settings FROM tenant")
    assert rows == [{"name": "default", "slug": "default", "settings": "{}"}]


@pytest.mark.parametrize("slug", ["", "Big", "a_b", "-a", "a--b", "ä"])
async def test_bad_slug_is_refused(world: World, slug: str) -> None:
    assert (await refusal_of(world(tenants.create_tenant, name="n", slug=slug))).code == "BAD_USER_INPUT"


async def test_tenant_slug_is_unique(world: World) -> None:
    await world(tenants.create_tenant, name="n", slug="my-team")
    assert (await refusal_of(world(tenants.create_tenant, name="n", slug="my-team"))).message == "Uniqueness violation."


async def test_taken_project_name_is_refused_with_the_exact_words(world: World) -> None:
    first = await world(tenants.create_project, name="p", description="d")
    refusal = await refusal_of(world(tenants.create_project, name="p"))
    assert (refusal.code, refusal.message) == ("CONFLICT", "Uniqueness violation.")
    other = (await world(tenants.create_tenant, name="n", slug="other"))["id"]
    await world(tenants.create_project, name="p", tenant_id=other)
    second = await world(tenants.create_project, name="q", tenant_id=None)
    assert (await refusal_of(world(tenants.set_project_name, project_id=second["id"], name="p"))).code == "CONFLICT"
    assert await world(tenants.set_project_name, project_id=first["id"], name="p") == first
    assert await world(tenants.set_project_description, project_id=first["id"], description="e") == first
    assert (await world.row("project", first["id"]))["description"] == "e"


async def test_unknown_tenant_and_project_are_refused(world: World) -> None:
    assert (await refusal_of(world(tenants.create_project, name="p", tenant_id="x"))).code == "NOT_FOUND"
    assert (await refusal_of(world(tenants.create_project, Origin(tenant_id="x"), name="p"))).code == "NOT_FOUND"
    assert (await refusal_of(register(world, "x"))).code == "NOT_FOUND"
    assert await world(tenants.delete_project, project_id="x") == {"success": False}
    assert await world(flows.delete_flow, flow_id="x") == {"success": False}


async def test_document_is_kept_and_its_parts_become_columns(world: World) -> None:
    document = {
        "name": "etl",
        "__version__": "1.4.1",
        "parameters": [{"name": "p", "slug": "p", "required": False, "default": 1, "annotation": "int"}],
        "storage": {"type": "Local"},
        "run_config": {"type": "LocalRun"},
        "zeta": {"unknown": [1]},
        "tasks": [
            {"slug": "a", "name": "A", "max_retries": 3, "retry_delay": 1.5, "trigger": {"fn": "all"}, "tags": ["t"]},
            {"slug": "b", "mapped": True, "auto_generated": True, "type": "T", "cache_key": "c"},
        ],
        "edges": [{"upstream_task": {"slug": "a"}, "downstream_task": {"slug": "b"}, "key": "x", "mapped": True}],
        "reference_tasks": [{"slug": "b"}],
    }
    flow_id = await register(world, await world.project(), document=document, description="d")
    row = await world.row("flow", flow_id)
    assert json.loads(row["serialized_flow"]) == document
    assert (row["version"], row["archived"], row["core_version"], row["description"]) == (1, 0, "1.4.1", "d")
    assert json.loads(row["parameters"]) == document["parameters"]
    assert (row["storage"], row["run_config"], row["environment"]) == ('{"type":"Local"}', '{"type":"LocalRun"}', None)
    assert (row["settings"], row["is_schedule_active"]) == ("{}", 0)
    a, b = await world.rows("SELECT * FROM task ORDER BY seq")
    assert (a["max_retries"], a["retry_delay"], a["trigger"], a["tags"]) == (3, 1_500_000, "all", '["t"]')
    assert (a["is_root_task"], a["is_terminal_task"], a["is_reference_task"]) == (1, 0, 0)
    assert (b["mapped"], b["auto_generated"], b["type"], b["cache_key"]) == (1, 1, "T", "c")
    assert (b["is_root_task"], b["is_terminal_task"], b["is_reference_task"]) == (0, 1, 1)
    (edge,) = await world.rows("SELECT * FROM edge")
    assert (edge["upstream_task_id"], edge["downstream_task_id"], edge["key"], edge["mapped"]) == (
        a["id"],
        b["id"],
        "x",
        1,
    )


async def test_registration_in_batches_gives_the_same_as_at_once(world: World) -> None:
    flow_id = await register(world, await world.project(), set_schedule_active=False, version_group_id=None)
    tasks = [{"slug": f"t{n}", "name": "old"} for n in range(5)]
    edges = [{"upstream_task": {"slug": f"t{n}"}, "downstream_task": {"slug": f"t{n + 1}"}} for n in range(4)]
    for batch in (tasks[:3], tasks[3:], [{"slug": "t0", "name": "new"}], []):
        payload = await world(flow_documents.register_tasks, flow_id=flow_id, serialized_tasks=batch)
        assert payload == {"success": True}
    await world(flow_documents.register_edges, flow_id=flow_id, serialized_edges=edges)
    assert await world(flows.set_schedule_active, flow_id=flow_id) == {"success": True}
    rows = await world.rows("SELECT slug, name, is_root_task, is_terminal_task FROM task ORDER BY slug")
    assert [row["slug"] for row in rows] == [f"t{n}" for n in range(5)]
    assert rows[0]["name"] == "new"
    assert [row["is_root_task"] for row in rows] == [1, 0, 0, 0, 0]
    assert [row["is_terminal_task"] for row in rows] == [0, 0, 0, 0, 1]
    document = json.loads((await world.row("flow", flow_id))["serialized_flow"])
    assert sorted(task["slug"] for task in document["tasks"]) == [f"t{n}" for n in range(5)]
    assert document["edges"] == edges


@pytest.mark.parametrize(
    "edge", [None, {}, {"upstream_task": {"slug": "a"}, "downstream_task": {"slug": "no"}}, {"upstream_task": "a"}]
)
async def test_edge_to_an_unknown_slug_is_refused(world: World, edge: Any) -> None:
    flow_id = await world.flow(tasks=[{"slug": "a"}])
    refusal = await refusal_of(world(flow_documents.register_edges, flow_id=flow_id, serialized_edges=[edge]))
    assert refusal.code == "BAD_USER_INPUT"
    assert "edges[0]" in refusal.message
    assert await world.count("edge") == 0


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"name": ""},
        {"name": 5},
        {"name": "f", "parameters": {}},
        {"name": "f", "parameters": [{"required": True}]},
        {"name": "f", "tasks": {}},
        {"name": "f", "tasks": [1]},
        {"name": "f", "tasks": [{"name": "no slug"}]},
        {"name": "f", "tasks": [{"slug": "s", "max_retries": "3"}]},
        {"name": "f", "tasks": [{"slug": "s", "retry_delay": True}]},
        {"name": "f", "edges": 5},
    ],
)
async def test_bad_document_is_refused_whole(world: World, document: Any) -> None:
    project = await world.project()
    refusal = await refusal_of(world(flows.create_flow, project_id=project, serialized_flow=document))
    assert refusal.code == "BAD_USER_INPUT"
    assert await world.count("flow") == await world.count("task") == await world.count("flow_group") == 0


async def test_compressed_flow_is_unpacked(world: World) -> None:
    packed = base64.b64encode(gzip.compress(json.dumps({"name": "ü"}).encode())).decode()
    project = await world.project()
    answer = await world(flows.create_flow_from_compressed_string, project_id=project, serialized_flow=packed)
    assert (await world.row("flow", answer["id"]))["name"] == "ü"


@pytest.mark.parametrize(
    "pack",
    [
        lambda: "",
        lambda: "%%%",
        lambda: base64.b64encode(b"no gzip").decode(),
        lambda: base64.b64encode(gzip.compress(b"no json")).decode(),
        lambda: base64.b64encode(gzip.compress(b'{"name": "cut"}')[:-9]).decode(),
        lambda: base64.b64encode(gzip.compress(b" " * (flows.UNPACKED_LIMIT + 1))).decode(),
    ],
    ids=["empty", "no base64", "no gzip", "no json", "cut", "bomb"],
)
async def test_bad_compressed_flow_is_refused(world: World, pack: Callable[[], str]) -> None:
    packed = pack()  # made here, because every process that collects this test would make the bomb
    project = await world.project()
    refusal = await refusal_of(
        world(flows.create_flow_from_compressed_string, project_id=project, serialized_flow=packed)
    )
    assert refusal.code == "BAD_USER_INPUT"


async def test_next_version_joins_the_group_of_its_name_and_archives_the_rest(world: World) -> None:
    project, other = await world.project(), await world.project()
    ids = [await register(world, project) for _ in range(3)]
    elsewhere = await register(world, other)
    rows = [await world.row("flow", flow_id) for flow_id in ids]
    assert [row["version"] for row in rows] == [1, 2, 3]
    assert [row["archived"] for row in rows] == [1, 1, 0]
    assert len({row["version_group_id"] for row in rows}) == len({row["flow_group_id"] for row in rows}) == 1
    apart = await world.row("flow", elsewhere)
    assert (apart["version"], apart["archived"]) == (1, 0)
    assert apart["version_group_id"] != rows[0]["version_group_id"]
    named = await world.row(
        "flow", await register(world, project, "renamed", version_group_id=rows[0]["version_group_id"])
    )
    assert (named["version"], named["flow_group_id"]) == (4, rows[0]["flow_group_id"])


async def test_same_registration_key_creates_nothing_while_the_flow_lives(world: World) -> None:
    project = await world.project()
    first = await register(world, project, idempotency_key="k")
    assert await register(world, project, idempotency_key="k") == first
    second = await register(world, project, idempotency_key="other")
    assert second != first
    third = await register(world, project, idempotency_key="k")  # not the last registration any more
    assert third not in (first, second)
    await world(flows.archive_flow, flow_id=third)
    assert await register(world, project, idempotency_key="k") != third
    assert await register(world, project) != third  # no key: always new


async def test_archiving_cancels_scheduled_runs_and_leaves_others(world: World) -> None:
    flow_id = await world.flow()
    waiting, running = await world.run(flow_id), await world.run(flow_id)
    await world.set(running, 1, "Running")
    assert await world(flows.archive_flow, flow_id=flow_id) == {"success": True}
    assert await world(flows.archive_flow, flow_id=flow_id) == {"success": True}
    assert await world.history(waiting) == [(1, "Scheduled"), (2, "Cancelled")]
    assert await world.history(running) == [(1, "Scheduled"), (2, "Running")]


async def test_flow_moves_to_another_project(world: World) -> None:
    flow_id, project = await world.flow(), await world.project()
    assert await world(flows.update_flow_project, flow_id=flow_id, project_id=project) == {"id": flow_id}
    assert (await world.row("flow", flow_id))["project_id"] == project
    assert (await refusal_of(world(flows.update_flow_project, flow_id=flow_id, project_id="x"))).code == "NOT_FOUND"
    assert (await refusal_of(world(flows.update_flow_project, flow_id="x", project_id=project))).code == "NOT_FOUND"


async def test_group_settings_are_stored(world: World) -> None:
    flow_id = await world.flow()
    group_id = (await world.row("flow", flow_id))["flow_group_id"]
    await world(flow_groups.disable_flow_heartbeat, flow_id=flow_id)
    await world(flow_groups.enable_flow_lazarus_process, flow_id=flow_id)
    await world(flow_groups.enable_flow_version_lock, flow_id=flow_id)
    await world(flow_groups.set_flow_group_description, flow_group_id=group_id, description="d")
    row = await world.row("flow_group", group_id)
    assert json.loads(row["settings"]) == {
        "heartbeat_enabled": False,
        "lazarus_enabled": True,
        "version_locking_enabled": True,
    }
    assert row["description"] == "d"
    assert await world(flow_groups.delete_flow_group, flow_group_id=group_id) == {"success": True}
    assert await world.count("flow") == 0
    assert await world(flow_groups.delete_flow_group, flow_group_id=group_id) == {"success": False}


@pytest.mark.parametrize(
    ("operation", "inputs"),
    [
        (flows.archive_flow, {"flow_id": "x"}),
        (flows.set_schedule_active, {"flow_id": "x"}),
        (flows.set_schedule_inactive, {"flow_id": "x"}),
        (flow_documents.register_tasks, {"flow_id": "x", "serialized_tasks": []}),
        (flow_documents.register_edges, {"flow_id": "x", "serialized_edges": []}),
        (flow_groups.set_flow_group_labels, {"flow_group_id": "x", "labels": []}),
        (flow_groups.enable_flow_heartbeat, {"flow_id": "x"}),
        (flow_groups.delete_flow_group_schedule, {"flow_group_id": "x"}),
        (tenants.set_project_name, {"project_id": "x", "name": "n"}),
        (tenants.set_project_description, {"project_id": "x"}),
    ],
)
async def test_what_does_not_exist_is_not_found(world: World, operation: Any, inputs: dict[str, Any]) -> None:
    assert (await refusal_of(world(operation, **inputs))).code == "NOT_FOUND"
