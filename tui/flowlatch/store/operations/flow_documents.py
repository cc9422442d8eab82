"""The tasks and edges of a flow, as the client sends them: inside the flow or in batches after it.

Unknown keys are kept in `flow.serialized_flow`, never refused. Source: contract.md §2.2, §2.2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.operations.rows import (
    bad_input,
    check_text,
    from_json,
    insert,
    not_found,
    one,
    success,
    to_json,
    update,
)

SLUG_LIMIT = 1_024
"""Characters of a task's slug at most."""
_UPSERT = """INSERT INTO task ({names}) VALUES ({values})
ON CONFLICT (flow_id, slug) DO UPDATE SET {changes}"""
_FIXED = frozenset({"id", "created", "tenant_id", "flow_id", "slug"})


def register_tasks(tx: Tx, *, flow_id: str, serialized_tasks: Any) -> dict[str, Any]:
    """Add tasks to a flow, or replace those of the same slug: `{success}`. They also join its document."""
    tenant_id = _extend_document(tx, flow_id, "tasks", serialized_tasks)
    insert_tasks(tx, flow_id, tenant_id, serialized_tasks)
    _mark_ends(tx, flow_id)
    return success()


def register_edges(tx: Tx, *, flow_id: str, serialized_edges: Any) -> dict[str, Any]:
    """Add edges between tasks of a flow, named by their slugs: `{success}`. They also join its document."""
    tenant_id = _extend_document(tx, flow_id, "edges", serialized_edges)
    insert_edges(tx, flow_id, tenant_id, serialized_edges, None)
    return success()


def _extend_document(tx: Tx, flow_id: str, key: str, more: Any) -> str | None:
    """Append to a list in the flow's document; return the flow's tenant."""
    row = one(tx, "SELECT tenant_id, serialized_flow FROM flow WHERE id = ?", (flow_id,))
    if row is None:
        raise not_found("flow", flow_id)
    if not isinstance(more, list):
        raise bad_input(f"serialized_{key} must be a list of objects")
    document = from_json(row[1]) or {}
    kept = document.get(key) or []
    if key == "tasks":
        new = {task.get("slug") for task in more if isinstance(task, dict)}
        kept = [task for task in kept if task.get("slug") not in new]
    document[key] = [*kept, *more]
    update(tx, "flow", flow_id, {"serialized_flow": to_json(document, "serialized_flow")})
    return None if row[0] is None else str(row[0])


def insert_tasks(tx: Tx, flow_id: str, tenant_id: str | None, tasks: Sequence[Any]) -> None:
    """Insert the rows of tasks, or update those of the same slug."""
    for index, task in enumerate(tasks):
        where = f"tasks[{index}]"
        if not isinstance(task, dict):
            raise bad_input(f"{where} must be an object")
        check_text(task.get("slug"), f"{where}.slug", SLUG_LIMIT)
        row = {
            "id": tx.new_id(),
            "created": tx.now_text,
            "updated": tx.now_text,
            "tenant_id": tenant_id,
            "flow_id": flow_id,
            **_task_row(task, where),
        }
        tx.execute(
            _UPSERT.format(
                names=", ".join(row),
                values=", ".join(f":{name}" for name in row),
                changes=", ".join(f"{name} = excluded.{name}" for name in row if name not in _FIXED),
            ),
            row,
        )


def _task_row(task: dict[str, Any], where: str) -> dict[str, Any]:
    retry_delay = task.get("retry_delay")
    trigger = task.get("trigger")
    if isinstance(trigger, dict):
        trigger = trigger.get("fn")
    return {
        "slug": task["slug"],
        "name": _text(task.get("name")),
        "description": _text(task.get("description")),
        "type": _text(task.get("type")),
        "max_retries": _number(task.get("max_retries"), f"{where}.max_retries"),
        "retry_delay": None
        if retry_delay is None
        else round(_number(retry_delay, f"{where}.retry_delay", float) * 1_000_000),
        "trigger": _text(trigger),
        "mapped": int(bool(task.get("mapped"))),
        "auto_generated": int(bool(task.get("auto_generated"))),
        "cache_key": _text(task.get("cache_key")),
        "is_reference_task": int(bool(task.get("is_reference_task"))),
        "tags": to_json(task.get("tags") or [], f"{where}.tags"),
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any, what: str, kind: type[int] | type[float] = int) -> Any:
    """Return a number of `kind` that fits a 32-bit column, None for None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**31:
        raise bad_input(f"{what} must be a number below 2147483648 or null")
    return kind(value)


def insert_edges(
    tx: Tx, flow_id: str, tenant_id: str | None, edges: Sequence[Any], document: dict[str, Any] | None
) -> None:
    """Insert the rows of edges; both ends must be slugs of tasks of this flow.

    `document` is the flow's, when it came whole: it may name the reference tasks.
    """
    ids: dict[str, str] = dict(tx.execute("SELECT slug, id FROM task WHERE flow_id = ?", (flow_id,)).fetchall())
    for index, edge in enumerate(edges):
        ends = {}
        for end in ("upstream_task", "downstream_task"):
            slug = edge.get(end, {}).get("slug") if isinstance(edge, dict) and isinstance(edge.get(end), dict) else None
            if slug not in ids:
                raise bad_input(f"edges[{index}].{end}.slug names no task of the flow")
            ends[f"{end}_id"] = ids[slug]
        insert(
            tx,
            "edge",
            {
                "tenant_id": tenant_id,
                "flow_id": flow_id,
                **ends,
                "key": _text(edge.get("key")),
                "mapped": int(bool(edge.get("mapped"))),
            },
        )
    _mark_ends(tx, flow_id)
    _mark_references(tx, flow_id, document)


def _mark_ends(tx: Tx, flow_id: str) -> None:
    """Note which tasks have nothing before them (root) and nothing after them (terminal)."""
    tx.execute(
        """UPDATE task SET
            is_root_task = CASE WHEN EXISTS (SELECT 1 FROM edge WHERE edge.downstream_task_id = task.id)
                THEN 0 ELSE 1 END,
            is_terminal_task = CASE WHEN EXISTS (SELECT 1 FROM edge WHERE edge.upstream_task_id = task.id)
                THEN 0 ELSE 1 END
        WHERE flow_id = ?""",
        (flow_id,),
    )


def _mark_references(tx: Tx, flow_id: str, document: dict[str, Any] | None) -> None:
    for task in (document or {}).get("reference_tasks") or []:
        if isinstance(task, dict) and isinstance(task.get("slug"), str):
            tx.execute("UPDATE task SET is_reference_task = 1 WHERE flow_id = ? AND slug = ?", (flow_id, task["slug"]))
