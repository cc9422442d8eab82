"""The spelling twins are generated and cost no second copy of anything. Source: contract.md §6.2."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from graphql import GraphQLEnumType, GraphQLScalarType, get_named_type

from flowlatch.server.mutations import OPERATIONS
from flowlatch.server.relations import RELATIONS, TABLES
from flowlatch.server.schema import input_keys, mutation_names, schema
from flowlatch.server.spelling import camel
from tests.support.wire import Wire

CAMEL = re.compile(r"\b[a-z]+[A-Z]\w*")


def test_nothing_that_is_written_by_hand_is_in_camel_case() -> None:
    sdl = (files("flowlatch.server") / "schema.graphql").read_text("utf-8")
    code = "\n".join(line for line in sdl.splitlines() if not line.startswith("#"))
    assert CAMEL.findall(code) == []
    assert [name for name in OPERATIONS if camel(name) == name] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_twins_share_operation_payload_and_keys(name: str) -> None:
    """One operation runs, one payload type answers, and both input types have one list of snake_case keys."""
    mutation = schema().mutation_type
    assert mutation is not None
    snake, twin = mutation.fields[name], mutation.fields[camel(name)]
    assert twin.type is snake.type
    assert mutation_names()[camel(name)] == mutation_names()[name] == name
    kinds = [get_named_type(field.args["input"].type).name for field in (snake, twin)]
    assert input_keys(kinds[0]) is input_keys(kinds[1])


def test_the_read_side_has_one_spelling() -> None:
    """Only fields of mutations, their input types and the keys of these exist twice."""
    kinds = schema().type_map.values()
    twice = {camel(f"{name}_input") for name in OPERATIONS}
    mutation = schema().mutation_type
    for kind in kinds:
        if kind.name.startswith("__") or isinstance(kind, GraphQLScalarType | GraphQLEnumType) or kind is mutation:
            continue
        if kind.name in twice or kind.name.endswith(("_input", "Input")):
            continue
        assert [field for field in getattr(kind, "fields", {}) if CAMEL.fullmatch(field)] == [], kind.name


OBJECTS = {
    "flow_run": "flow tenant agent",
    "flow": "project flow_group tenant",
    "task_run": "flow_run task tenant",
    "flow_run_state": "flow_run",
    "task_run_state": "task_run",
    "task": "flow",
    "edge": "flow upstream_task downstream_task",
    "project": "tenant",
    "flow_group": "tenant",
    "agent": "agent_config",
    "task_run_artifact": "task_run",
}
LISTS = {
    "flow_run": "states task_runs logs",
    "flow": "flow_runs tasks edges",
    "task_run": "states logs",
    "task": "task_runs upstream_edges downstream_edges",
    "project": "flows",
    "flow_group": "flows",
    "tenant": "projects flows flow_groups",
    "agent": "flow_runs",
}
"""Source: contract.md §3.3."""


@pytest.mark.parametrize("table", TABLES)
def test_relations_are_those_of_the_contract_and_answer(wire: Wire, table: str) -> None:
    objects, lists = OBJECTS.get(table, "").split(), LISTS.get(table, "").split()
    for many, names in ((False, objects), (True, lists)):
        assert {name for name in names if RELATIONS[table][name].many is many} == set(names)
    selected = [f"{name} {{ id }}" for name in (*objects, *lists)]
    selected += [f"{name}_aggregate(limit: 1) {{ aggregate {{ count }} nodes {{ id }} }}" for name in lists]
    found = wire.data(f"{{ {table}(limit: 3) {{ id {' '.join(selected)} }} }}")[table]
    assert all(isinstance(row[name], list) for row in found for name in lists)
