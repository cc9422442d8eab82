"""Registering and switching flows over GraphQL: what `flowlatch flows` and the demo need of contract.md §2.2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from flowlatch.api import convert, documents
from flowlatch.api.call import Lost, Result
from flowlatch.errors import BadInput, ForeignServer, NotFound, OutcomeUnknown, Rejected
from flowlatch.model.run import FlowId, Parameter
from flowlatch.text import one_line

Read = Callable[..., Awaitable[dict[str, Any]]]
Change = Callable[[str, dict[str, Any]], Awaitable[Result]]


async def create_flow(
    read: Read, change: Change, name: str, project: str, parameters: Sequence[Parameter | Mapping[str, Any]]
) -> FlowId:
    """Register a flow in a project, which is made when it does not exist, and return the flow's id."""
    if not name.strip():
        raise BadInput("flow name: it is empty")
    document = {
        "name": name,
        "type": "prefect.core.flow.Flow",
        "parameters": [parameter_document(parameter) for parameter in parameters],
        "schedule": None,
        "storage": None,
        "tasks": [],
        "edges": [],
        "reference_tasks": [],
    }
    values = {"project_id": await _project(read, change, project), "serialized_flow": document}
    try:
        result = await change(documents.CREATE_FLOW, values)
    except Lost as error:
        raise OutcomeUnknown(f"registering flow {one_line(name, 80)}: {error}") from error
    return FlowId(_id(result.data, "create_flow"))


async def _project(read: Read, change: Change, name: str) -> str:
    found = await _project_id(read, name)
    if found:
        return found
    tenants = (await read(documents.TENANT)).get("tenant")
    if not isinstance(tenants, list) or not tenants:
        raise ForeignServer("the server has no tenant to make a project in")
    try:
        result = await change(documents.CREATE_PROJECT, {"tenant_id": tenants[0]["id"], "name": name})
    except (Rejected, *Lost):
        found = await _project_id(read, name)
        if found:
            return found
        raise
    return _id(result.data, "create_project")


async def _project_id(read: Read, name: str) -> str | None:
    projects = (await read(documents.PROJECT, {"name": name})).get("project")
    if isinstance(projects, list) and projects and isinstance(projects[0], dict):
        return convert.text(projects[0], "id")
    return None


def _id(data: dict[str, Any], field: str) -> str:
    value = convert.child(data, field).get("id")
    if not isinstance(value, str):
        raise ForeignServer(f"the answer to {field} holds no id")
    return value


def parameter_document(parameter: Parameter | Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry of a flow's `parameters`. A mapping without `required` is required when it has no default."""
    if isinstance(parameter, Parameter):
        given: dict[str, Any] = dict(vars(parameter))
    else:
        given = dict(parameter)
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise BadInput("parameter: wants a name")
    required = given.get("required", "default" not in given)
    document = {"name": name, "slug": name, "required": required, "default": given.get("default")}
    if given.get("annotation"):
        document["annotation"] = given["annotation"]
    return document


async def switch(change: Change, document: str, flow_id: FlowId) -> None:
    """Send a change of one flow. Raises `NotFound` when the server reports no success."""
    try:
        result = await change(document, {"flow_id": flow_id})
    except Lost as error:
        raise OutcomeUnknown(f"changing flow {one_line(flow_id, 60)}: {error}") from error
    payload = next(iter(result.data.values()), None)
    if isinstance(payload, dict) and payload.get("success") is False:
        raise NotFound(f"no flow has the id {one_line(flow_id, 60)}")
