"""One GraphQL request, from its text to its answer. Source: design.md §6, contract.md §1.

Fields of tables are compiled to SQL and their bytes copied into the answer; mutations of a document go to the store in
one batch; introspection alone is executed by graphql-core.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType, SelectionSetNode, execute_sync

from flowlatch.server import changes, meta
from flowlatch.server.answers import (
    Answer,
    Refused,
    answered,
    document_error,
    error_object,
    failed,
    refusal_object,
)
from flowlatch.server.compile import Statement, compile_plan
from flowlatch.server.conditions import stored_id
from flowlatch.server.documents import KEPT_TEXT, Document, DocumentRefused, document
from flowlatch.server.faults import Fault, last_resort
from flowlatch.server.mutations import idempotency_note, location, operation_of
from flowlatch.server.payloads import selected
from flowlatch.server.plan import Values
from flowlatch.server.schema import schema
from flowlatch.server.selection import Field, Request, root_plan, table_of
from flowlatch.server.service import Service
from flowlatch.store.base import Operation, Origin, Refusal
from flowlatch.store.session import OutcomeUnknown
from flowlatch.store.spelling import Spelling

T = TypeVar("T")
KEPT_VARIABLES = 4_000
"""Bytes of the variables of a request that is kept with what it compiled to."""
_TASK_RUN = (
    "SELECT task_run.id, task_run.version, task_run.state, task_run_state.serialized_state FROM task_run"
    " LEFT JOIN task_run_state ON task_run_state.id = task_run.state_id WHERE task_run.id = :id"
)


@dataclass(frozen=True)
class Asked:
    """A request that is fit to be run."""

    document: Document
    operation: OperationDefinitionNode
    request: Request
    fields: list[Field]
    """The root fields."""
    statements: dict[tuple[Spelling, str], tuple[Statement, Values]] = dataclasses.field(default_factory=dict)
    """What the fields of tables compiled to so far, by database and response key: the same is often asked again."""


def prepare(query: str, variables: Mapping[str, Any], operation_name: str | None) -> Asked:
    """Return what is asked. Raises `DocumentRefused`: nothing has been run then."""
    is_mutation = document(query).operation(operation_name).operation is OperationType.MUTATION
    if len(query) <= KEPT_TEXT and not is_mutation:
        try:
            told = orjson.dumps(variables)
        except (TypeError, ValueError):  # integers beyond 64 bits, lone surrogates
            told = None
        if told is not None and len(told) <= KEPT_VARIABLES:
            return _kept(query, told, operation_name)
    return _prepare(query, variables, operation_name)


def _prepare(query: str, variables: Mapping[str, Any], operation_name: str | None) -> Asked:
    parsed = document(query)
    operation = parsed.operation(operation_name)
    defined = parsed.variables[operation.name.value if operation.name else ""]
    is_mutation = operation.operation is OperationType.MUTATION
    coerced = (defined.quickly(variables) if is_mutation else None) or defined.coerced(variables)
    if isinstance(coerced, list):
        raise DocumentRefused([document_error(error, "BAD_USER_INPUT") for error in coerced])
    request = Request(parsed.fragments, coerced, variables, parsed.fields)
    return Asked(parsed, operation, request, request.fields((operation.selection_set,)))


@lru_cache(maxsize=256)
def _kept(query: str, variables: bytes, operation_name: str | None) -> Asked:
    return _prepare(query, orjson.loads(variables), operation_name)


async def execute(service: Service, asked: Asked, origin: Origin) -> Answer:
    """Run a query or a mutation."""
    match asked.operation.operation.value:
        case "query":
            return await _query(service, asked)
        case "mutation":
            return await _mutation(service, asked.request, asked.fields, origin)
        case _:
            say = "subscriptions go over the websocket of this path (graphql-transport-ws)"
            return failed(400, [error_object(say, "BAD_REQUEST")])


# ---- queries -------------------------------------------------------------------------------------------------------


async def _query(service: Service, asked: Asked) -> Answer:
    introspected = [field for field in asked.fields if field.name.startswith("__")]
    told: dict[str, Any] = {}
    if introspected:
        told, errors = _introspect(service, asked, introspected)
        if errors:
            return failed(400, errors)
    plain = [field for field in asked.fields if not field.name.startswith("__")]
    outcomes = await _side_by_side([_guarded(service, _read(service, asked, field), field) for field in plain])
    read = dict(zip((field.key for field in plain), outcomes, strict=True))
    data = {field.key: told[field.key] if field.key in told else read[field.key][0] for field in asked.fields}
    return answered(data, [error for _, error in outcomes if error], {})


def _introspect(service: Service, asked: Asked, fields: list[Field]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if not service.introspection and any(field.name != "__typename" for field in fields):
        say = "introspection is switched off on this server"
        return {}, [error_object(say, "GRAPHQL_VALIDATION_FAILED")]
    nodes = tuple(node for field in fields for node in field.nodes)
    operation = replace(asked.operation, selection_set=SelectionSetNode(selections=nodes))
    definitions = (operation, *asked.document.fragments.values())
    result = execute_sync(
        schema(), DocumentNode(definitions=definitions), variable_values=dict(asked.request.raw_variables)
    )
    return dict(result.data or {}), [
        document_error(error, "GRAPHQL_VALIDATION_FAILED") for error in result.errors or ()
    ]


async def _side_by_side(work: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what each gives; most requests have one root field, which needs no task of its own."""
    return [await work[0]] if len(work) == 1 else await asyncio.gather(*work)


async def _guarded(service: Service, work: Awaitable[Any], field: Field) -> tuple[Any, dict[str, Any] | None]:
    """Return (value, None) or (None, error): a failed root field always has an error."""
    try:
        with last_resort(service, f"field {field.name}"):
            return await work, None
    except Refusal as refusal:
        error = refusal_object(refusal, [field.key])
    except GraphQLError as problem:
        error = error_object(problem.message, "BAD_USER_INPUT", path=[field.key])
    except Fault as fault:
        error = error_object(str(fault), fault.code, path=[field.key])
    return None, {**error, "locations": location(field.nodes[0])}


async def _read(service: Service, asked: Asked, field: Field) -> Any:
    request = asked.request
    if table_of(field.name) is not None:
        spelling = service.store.spelling
        place = (spelling, field.key)
        if place not in asked.statements:
            values = Values()
            asked.statements[place] = compile_plan(root_plan(request, field, values), spelling), values
        return await service.run(*asked.statements[place])
    query = schema().query_type
    assert query is not None
    arguments = request.arguments(query, field)
    if field.name == "flow_run_changes":
        return await changes.since(service, request, field, arguments)
    value = await _meta(service, request, field, arguments)
    return await _cut(service, request, query.fields[field.name].type, field, value)


async def _cut(service: Service, request: Request, kind: Any, field: Field, value: Any) -> Any:
    """Return the selected members of a value or of a list of them."""
    if not field.selections or value is None:
        return value

    async def row(table: str, row_id: str, part: Field) -> Any:
        return await service.row(request, table, row_id, part)

    below = request.fields(field.selections)
    if isinstance(value, list):
        return [await selected(request, kind, below, item, row) for item in value]
    return await selected(request, kind, below, value, row)


async def _meta(service: Service, request: Request, field: Field, arguments: dict[str, Any]) -> Any:
    store = service.store
    match field.name:
        case "hello":
            return "👋"
        case "api":
            return meta.api(store.server_id, store.idempotency_window_s, service.read_only, service.now_text())
        case "reference_data":
            return meta.reference_data()
        case "auth_info":
            tenants = await store.read("SELECT id FROM tenant ORDER BY seq LIMIT 1", {})
            return {"tenant_id": tenants.rows[0][0] if tenants.rows else None, "user_id": None}
        case "auth_api_key":
            return []
        case "get_task_run_info":
            return await _task_run_info(service, arguments["task_run_id"])
        case _:
            raise AssertionError(f"{field.name} has no resolver")


async def _task_run_info(service: Service, task_run_id: str) -> dict[str, Any]:
    found = await service.store.read(_TASK_RUN, {"id": stored_id(task_run_id, "BAD_USER_INPUT", "task_run_id")})
    if not found.rows:
        raise Refusal("NOT_FOUND", f"task run {task_run_id[:40]} does not exist")
    run_id, version, state, serialized = found.rows[0]
    serialized_state = orjson.Fragment(serialized) if serialized else None
    return {"id": run_id, "version": version, "state": state, "serialized_state": serialized_state}


# ---- mutations -----------------------------------------------------------------------------------------------------


async def _mutation(service: Service, request: Request, fields: list[Field], origin: Origin) -> Answer:
    plain = [field for field in fields if field.name != "__typename"]
    prepared: list[Any] = []
    for field in plain:
        try:
            if service.read_only:
                raise Refusal("READ_ONLY", "this server is read-only; nothing was changed")
            prepared.append(operation_of(request, field))
        except Refusal as refusal:
            prepared.append(refusal)
    operations = [item[1] for item in prepared if not isinstance(item, Refusal)]
    written = await _guarded(service, _written(service, operations, origin), plain[0]) if operations else ([], None)
    if written[1] is not None:
        return answered({field.key: None for field in fields}, [written[1]], {})
    results = iter(written[0])
    outcomes = [item if isinstance(item, Refusal) else next(results) for item in prepared]
    told = await _side_by_side(
        [
            _guarded(service, _told(service, request, field, outcome), field)
            for field, outcome in zip(plain, outcomes, strict=True)
        ]
    )
    by_key = {field.key: value for field, (value, _) in zip(plain, told, strict=True)}
    notes = [
        note
        for field, item, outcome in zip(plain, prepared, outcomes, strict=True)
        if not isinstance(outcome, Refusal) and (note := idempotency_note(item[0], field, outcome))
    ]
    data = {field.key: by_key.get(field.key, "Mutation") for field in fields}
    return answered(data, [error for _, error in told if error], {"idempotency": notes} if notes else {})


async def _written(service: Service, operations: Sequence[Operation[Any]], origin: Origin) -> list[Any]:
    try:
        return await service.store.write_all(operations, origin)
    except OutcomeUnknown as error:
        # no answer at HTTP 200 would be true; a client takes this one as it takes a lost answer
        say = "the database went away while it committed: it may have been done or not, read before you repeat it"
        raise Refused(503, "OUTCOME_UNKNOWN", say) from error


async def _told(service: Service, request: Request, field: Field, outcome: Any) -> Any:
    if isinstance(outcome, Refusal):
        raise outcome
    mutation = schema().mutation_type
    assert mutation is not None
    return await _cut(service, request, mutation.fields[field.name].type, field, outcome)
