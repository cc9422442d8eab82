"""Every mutation of the contract: which operation of the store it is. Source: contract.md §2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from graphql import FieldNode, GraphQLInputObjectType, VariableNode, get_named_type

from flowlatch.server.inputs import plain_inputs
from flowlatch.server.schema import mutation_names, schema
from flowlatch.server.selection import Field, Request
from flowlatch.store.base import Operation
from flowlatch.store.operations import (
    agents,
    artifacts,
    flow_documents,
    flow_groups,
    flow_run_edits,
    flow_run_states,
    flow_runs,
    flows,
    logs,
    task_runs,
    tenants,
)

OPERATIONS: Mapping[str, Callable[..., dict[str, Any]]] = {
    name: getattr(module, name)
    for module, names in (
        (
            tenants,
            ("create_tenant", "create_project", "delete_project", "set_project_name", "set_project_description"),
        ),
        (
            flows,
            (
                "create_flow",
                "create_flow_from_compressed_string",
                "set_schedule_active",
                "set_schedule_inactive",
                "archive_flow",
                "delete_flow",
                "update_flow_project",
            ),
        ),
        (flow_documents, ("register_tasks", "register_edges")),
        (
            flow_groups,
            (
                "enable_flow_heartbeat",
                "disable_flow_heartbeat",
                "enable_flow_lazarus_process",
                "disable_flow_lazarus_process",
                "enable_flow_version_lock",
                "disable_flow_version_lock",
                "set_flow_group_labels",
                "set_flow_group_run_config",
                "set_flow_group_description",
                "set_flow_group_default_parameters",
                "set_flow_group_schedule",
                "delete_flow_group_schedule",
                "delete_flow_group",
            ),
        ),
        (flow_runs, ("create_flow_run",)),
        (flow_run_states, ("set_flow_run_state", "set_flow_run_states", "cancel_flow_run")),
        (
            flow_run_edits,
            ("delete_flow_run", "set_flow_run_name", "set_flow_run_labels", "update_flow_run_heartbeat"),
        ),
        (
            task_runs,
            (
                "get_or_create_task_run",
                "get_or_create_task_run_info",
                "set_task_run_state",
                "set_task_run_states",
                "set_task_run_name",
                "update_task_run_heartbeat",
            ),
        ),
        (logs, ("write_run_log", "write_run_logs")),
        (agents, ("register_agent", "get_runs_in_queue")),
        (artifacts, ("create_task_run_artifact", "update_task_run_artifact", "delete_task_run_artifact")),
    )
    for name in names
}
"""Mutation in snake_case → operation."""

_UNUSED = {"set_task_run_state": ("flow_run_version",), "create_task_run_artifact": ("tenant_id",)}
"""Inputs that clients send and the operation has no use for."""


class _Mutation(NamedTuple):
    """What the schema says of a root field of a mutation."""

    name: str
    """In snake_case."""
    kind: GraphQLInputObjectType
    unused: tuple[str, ...]
    run: Callable[..., dict[str, Any]]


@cache
def _mutation(field_name: str) -> _Mutation:
    mutation = schema().mutation_type
    assert mutation is not None
    name = mutation_names()[field_name]
    kind = get_named_type(mutation.fields[field_name].args["input"].type)
    assert isinstance(kind, GraphQLInputObjectType)
    return _Mutation(name, kind, _UNUSED.get(name, ()), OPERATIONS[name])


def operation_of(request: Request, field: Field) -> tuple[str, Operation[dict[str, Any]]]:
    """Return the snake_case name and the operation of a root field of a mutation. Raises `Refusal` for its inputs."""
    known = _mutation(field.name)
    inputs = plain_inputs(known.kind, _given(request, field))
    for unused in known.unused:
        inputs.pop(unused, None)
    return known.name, partial(_run, known.run, inputs)


def _given(request: Request, field: Field) -> dict[str, Any]:
    """Return the coerced argument `input`; clients send it as one variable, which is coerced already."""
    arguments = field.nodes[0].arguments or ()
    if len(arguments) == 1 and isinstance(variable := arguments[0].value, VariableNode):
        given = request.variables.coerced.get(variable.name.value)
        if isinstance(given, dict):
            return given
    mutation = schema().mutation_type
    assert mutation is not None
    inputs: dict[str, Any] = request.arguments(mutation, field)["input"]
    return inputs


def _run(operation: Callable[..., dict[str, Any]], inputs: dict[str, Any], tx: Any) -> dict[str, Any]:
    return operation(tx, **inputs)


def idempotency_note(name: str, field: Field, payload: dict[str, Any]) -> dict[str, Any] | None:
    """Return what `extensions.idempotency` says of a create with a key, None for anything else (design.md §9)."""
    if name != "create_flow_run" or payload.get("expires_at") is None:
        return None
    return {
        "path": field.key,
        "id": payload["id"],
        "replayed": bool(payload.get("replayed")),
        "mismatch": list(payload.get("mismatch") or ()),
        "expires_at": payload["expires_at"],
    }


def location(node: FieldNode) -> list[dict[str, int]]:
    """Return where a field stands in its document."""
    if node.loc is None:
        return []
    place = node.loc.start_token
    return [{"line": place.line, "column": place.column}]
