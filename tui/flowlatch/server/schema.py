"""The whole schema: the hand-written part, the generated read side and both spellings, put together once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

from graphql import GraphQLInputObjectType, GraphQLSchema, build_ast_schema, parse
from graphql.language import DocumentNode, ObjectTypeDefinitionNode

from flowlatch.server.read_schema import read_schema
from flowlatch.server.scalars import give_meaning
from flowlatch.server.spelling import camel, with_twins


@cache
def schema() -> GraphQLSchema:
    """Return the schema. Building it takes some 100 ms, so it is done once."""
    text = files("flowlatch.server").joinpath("schema.graphql").read_text("utf-8")
    written = with_twins(parse(text, no_location=True))
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
def input_keys(type_name: str) -> frozenset[str]:
    """Return the snake_case keys of an input type."""
    kind = schema().type_map[type_name]
    assert isinstance(kind, GraphQLInputObjectType)
    twins = {camel(name) for name in kind.fields if camel(name) != name}
    return frozenset(name for name in kind.fields if name not in twins)
