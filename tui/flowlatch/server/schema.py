"""The whole schema: the hand-written part, the generated read side and both spellings, put together once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from graphql import GraphQLSchema, build_ast_schema, parse
from graphql.language import DocumentNode, InputObjectTypeDefinitionNode, NonNullTypeNode, ObjectTypeDefinitionNode

from flowlatch.server.read_schema import read_schema
from flowlatch.server.scalars import give_meaning
from flowlatch.server.spelling import camel, named_type, with_twins


@cache
def schema() -> GraphQLSchema:
    """Return the schema. Building it takes some 100 ms, so it is done once."""
    written = with_twins(_written())
    generated = parse(read_schema(), no_location=True)
    built = build_ast_schema(_one_query(written, generated), assume_valid=True, assume_valid_sdl=True)
    give_meaning(built)
    return built


def _one_query(*documents: DocumentNode) -> DocumentNode:
    """Return all definitions as one document, with the fields of every `type Query` in one."""
    definitions = [node for document in documents for node in document.definitions]
    queries = [
        node for node in definitions if isinstance(node, ObjectTypeDefinitionNode) and node.name.value == "Query"
    ]
    fields = tuple(field for node in queries for field in node.fields or ())
    rest = [node for node in definitions if node not in queries]
    return DocumentNode(definitions=(*rest, replace(queries[0], fields=fields)))


@cache
def _written() -> DocumentNode:
    return parse(files("flowlatch.server").joinpath("schema.graphql").read_text("utf-8"), no_location=True)


@cache
def _required_keys() -> Mapping[str, Mapping[str, bool]]:
    """Return input type name (every spelling) → snake_case key → whether it must be given."""
    written = {
        node.name.value: {field.name.value: isinstance(field.type, NonNullTypeNode) for field in node.fields or ()}
        for node in _written().definitions
        if isinstance(node, InputObjectTypeDefinitionNode)
    }
    mutation = next(
        node
        for node in _written().definitions
        if isinstance(node, ObjectTypeDefinitionNode) and node.name.value == "Mutation"
    )
    shared = {
        f"{field.name.value}_input": written[named_type((field.arguments or ())[0].type).name.value]
        for field in mutation.fields or ()
    }
    snake = {**written, **shared}
    return {**snake, **{camel(name): keys for name, keys in snake.items()}}


def input_keys(type_name: str) -> Mapping[str, bool]:
    """Return the snake_case keys of an input type, in either spelling of its name, and which must be given."""
    return _required_keys()[type_name]


@cache
def mutation_names() -> Mapping[str, str]:
    """Return every spelling of every mutation → its snake_case name."""
    fields = schema().mutation_type
    assert fields is not None
    snake = [name for name in fields.fields if f"{name}_input" in _required_keys()]
    return {**{camel(name): name for name in snake}, **{name: name for name in snake}}
