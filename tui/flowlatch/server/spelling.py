"""The second spelling of every mutation: camelCase twins, made from the snake_case definitions. Source: contract.md §6.

Only keys of typed inputs are ever renamed. What a client puts into a JSON scalar is not looked into.
"""

from __future__ import annotations

from dataclasses import replace

from graphql.language import (
    DefinitionNode,
    DocumentNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    TypeNode,
)


def camel(name: str) -> str:
    """Return `flow_run_id` as `flowRunId`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def with_twins(document: DocumentNode) -> DocumentNode:
    """Return the document with both spellings of every mutation and of every input type and key.

    Each mutation `m` gets input types `m_input` and its camelCase twin, whatever type it shares with others. A key
    whose spellings differ is optional in the schema: that it was given is checked when the mutation runs.
    """
    inputs = {node.name.value: node for node in document.definitions if isinstance(node, InputObjectTypeDefinitionNode)}
    definitions: list[DefinitionNode] = [node for node in document.definitions if node not in inputs.values()]
    mutation = next(
        node for node in definitions if isinstance(node, ObjectTypeDefinitionNode) and node.name.value == "Mutation"
    )
    definitions.remove(mutation)
    made: dict[str, InputObjectTypeDefinitionNode] = {}
    fields: list[FieldDefinitionNode] = []
    for name, node in inputs.items():
        for spelled in (name, camel(name)):
            made[spelled] = _input(node, spelled, inputs)
    for field in mutation.fields or ():
        name = field.name.value
        shared = inputs[named_type((field.arguments or ())[0].type).name.value]
        for spelled in (name, camel(name)):
            kind = f"{name}_input" if spelled == name else camel(f"{name}_input")
            made.setdefault(kind, _input(shared, kind, inputs))
            fields.append(_field(field, spelled, kind))
    unique = tuple({node.name.value: node for node in fields}.values())
    return DocumentNode(definitions=(*definitions, *made.values(), replace(mutation, fields=unique)))


def _field(field: FieldDefinitionNode, name: str, input_type: str) -> FieldDefinitionNode:
    kind = NonNullTypeNode(type=NamedTypeNode(name=NameNode(value=input_type)))
    argument = replace((field.arguments or ())[0], type=kind)
    return replace(field, name=NameNode(value=name), arguments=(argument,))


def _input(
    node: InputObjectTypeDefinitionNode, name: str, inputs: dict[str, InputObjectTypeDefinitionNode]
) -> InputObjectTypeDefinitionNode:
    """Return an input type under another name, with both spellings of each of its keys."""
    fields: list[InputValueDefinitionNode] = []
    is_camel = "_" not in name
    for field in node.fields or ():
        key, kind = field.name.value, _respelled(field.type, inputs) if is_camel else field.type
        if camel(key) == key:
            fields.append(_key(field, key, kind))
        else:
            optional = kind.type if isinstance(kind, NonNullTypeNode) else kind
            fields += (_key(field, key, optional), _key(field, camel(key), optional))
    return replace(node, name=NameNode(value=name), fields=tuple(fields))


def _key(field: InputValueDefinitionNode, name: str, kind: TypeNode) -> InputValueDefinitionNode:
    return replace(field, name=NameNode(value=name), type=kind)


def named_type(kind: TypeNode) -> NamedTypeNode:
    """Return the type inside lists and non-nulls."""
    while not isinstance(kind, NamedTypeNode):
        assert isinstance(kind, NonNullTypeNode | ListTypeNode)
        kind = kind.type
    return kind


def _respelled(kind: TypeNode, inputs: dict[str, InputObjectTypeDefinitionNode]) -> TypeNode:
    """Return a type with nested input types under their camelCase names."""
    if isinstance(kind, NamedTypeNode):
        name = kind.name.value
        return NamedTypeNode(name=NameNode(value=camel(name))) if name in inputs else kind
    assert isinstance(kind, NonNullTypeNode | ListTypeNode)
    inner = _respelled(kind.type, inputs)
    if isinstance(kind, ListTypeNode):
        return replace(kind, type=inner)
    assert isinstance(inner, NamedTypeNode | ListTypeNode)
    return replace(kind, type=inner)
