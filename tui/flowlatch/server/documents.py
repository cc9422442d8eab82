"""Documents: parsed, bounded, validated, and kept, so that the same text costs that once. Source: reliability.md §6."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    InlineFragmentNode,
    MaxIntrospectionDepthRule,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    specified_rules,
    type_from_ast,
    validate,
)
from graphql.validation.rules.variables_in_allowed_position import (
    VariablesInAllowedPositionRule,
    allowed_variable_usage,
)

from flowlatch.server.answers import document_error, error_object
from flowlatch.server.scalars import SAME
from flowlatch.server.schema import schema
from flowlatch.server.variables import Variables

MAX_TOKENS = 15_000
MAX_DEPTH = 10
MAX_FIELDS = 5_000
MAX_MUTATIONS = 50
MAX_DIRECTIVES = 50
MAX_VALIDATION_ERRORS = 5
_PARSER_LIMITS = (
    f"Syntax Error: Document contains more than {MAX_TOKENS} tokens",
    "Syntax Error: Document is nested too deeply",
)
KEPT_TEXT = 20_000
"""Characters of a document that is kept; longer ones are rare and not worth the memory."""


class DocumentRefused(Exception):
    """A document that is not run; `errors` are ready error objects."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("document refused")
        self.errors = errors


@dataclass(frozen=True)
class Document:
    """A valid document within the limits."""

    node: DocumentNode
    operations: dict[str, OperationDefinitionNode]
    """By name; an anonymous one under the empty name."""
    fragments: dict[str, FragmentDefinitionNode]
    variables: dict[str, Variables]
    """Of each operation, by its name."""
    fields: dict[tuple[int, ...], Any] | None
    """Merged fields found so far, by the `id`s of their selection sets; None where directives make them depend on
    variables."""

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to run. Raises `DocumentRefused`."""
        if name:
            found = self.operations.get(name)
        else:
            found = next(iter(self.operations.values())) if len(self.operations) == 1 else None
        if found is None:
            say = "no operation of that operationName" if name else "operationName must say which operation is meant"
            raise DocumentRefused([error_object(say, "GRAPHQL_VALIDATION_FAILED")])
        return found


def document(text: str) -> Document:
    """Return the document of a query text. Raises `DocumentRefused`."""
    return _kept(text) if len(text) <= KEPT_TEXT else _read(text)


def _read(text: str) -> Document:
    try:
        node = parse(text, max_tokens=MAX_TOKENS)
    except GraphQLError as error:
        code = "LIMIT" if error.message.startswith(_PARSER_LIMITS) else "GRAPHQL_PARSE_FAILED"
        raise DocumentRefused([document_error(error, code)]) from error
    except RecursionError:
        raise DocumentRefused([error_object("the document is nested too deeply", "LIMIT")]) from None
    operations = {
        part.name.value if part.name else "": part
        for part in node.definitions
        if isinstance(part, OperationDefinitionNode)
    }
    fragments = {part.name.value: part for part in node.definitions if isinstance(part, FragmentDefinitionNode)}
    if not operations:
        raise DocumentRefused([error_object("the document has no operation", "GRAPHQL_VALIDATION_FAILED")])
    for operation in operations.values():
        _Bounds(fragments).check(operation)
    errors = validate(schema(), node, _RULES, max_errors=MAX_VALIDATION_ERRORS)
    if errors:
        raise DocumentRefused([document_error(error, "GRAPHQL_VALIDATION_FAILED") for error in errors])
    variables = {name: Variables(operation) for name, operation in operations.items()}
    return Document(node, operations, fragments, variables, None if "@" in text else {})


_kept = lru_cache(maxsize=512)(_read)


class _Bounds:
    """Counts what an operation asks for, each fragment as often as it is used, without expanding one twice."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, tuple[int, int, int]] = {}

    def check(self, operation: OperationDefinitionNode) -> None:
        try:
            fields, depth, directives = self._measure(operation.selection_set, frozenset())
        except RecursionError:
            raise DocumentRefused([error_object("the document is nested too deeply", "LIMIT")]) from None
        for found, most, what in (
            (depth, MAX_DEPTH, "levels of fields"),
            (fields, MAX_FIELDS, "fields"),
            (directives + len(operation.directives or ()), MAX_DIRECTIVES, "directives"),
        ):
            if found > most:
                raise DocumentRefused([error_object(f"a document may have at most {most} {what}", "LIMIT")])
        is_mutation = operation.operation is OperationType.MUTATION
        if is_mutation and self._roots(operation.selection_set, set()) > MAX_MUTATIONS:
            say = f"a document may have at most {MAX_MUTATIONS} mutations"
            raise DocumentRefused([error_object(say, "LIMIT")])

    def _roots(self, selections: SelectionSetNode, seen: set[str]) -> int:
        """Return the number of root fields; a fragment used again names the same fields again."""
        count = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                count += 1
            elif isinstance(node, InlineFragmentNode):
                count += self._roots(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self._fragments.get(node.name.value)
                count += self._roots(fragment.selection_set, seen) if fragment is not None else 0
        return count

    def _measure(self, selections: SelectionSetNode, within: frozenset[str]) -> tuple[int, int, int]:
        """Return (fields, levels, directives) below a selection set; what is under introspection has its own rule."""
        fields = depth = directives = 0
        for node in selections.selections:
            below = (0, 0, 0)
            directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                fields += 1
                if node.selection_set and not node.name.value.startswith("__"):
                    below = self._measure(node.selection_set, within)
                below = (below[0], below[1] + 1, below[2])
            elif isinstance(node, InlineFragmentNode):
                below = self._measure(node.selection_set, within)
            elif isinstance(node, FragmentSpreadNode):
                below = self._fragment(node.name.value, within)
            fields, directives = fields + below[0], directives + below[2]
            depth = max(depth, below[1])
        return min(fields, MAX_FIELDS + 1), depth, min(directives, MAX_DIRECTIVES + 1)

    def _fragment(self, name: str, within: frozenset[str]) -> tuple[int, int, int]:
        if name in within or name not in self._fragments:
            return 0, 0, 0  # validation names the fault
        if name not in self._measured:
            self._measured[name] = self._measure(self._fragments[name].selection_set, within | {name})
        return self._measured[name]


class _VariablesStandIn(VariablesInAllowedPositionRule):
    """The standard rule, but scalars of one meaning stand in for each other (contract.md §7)."""

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_args: Any) -> None:
        for usage in self.context.get_recursive_variable_usages(operation):
            defined = self.var_def_map.get(usage.node.name.value)
            if defined is None or usage.type is None:
                continue
            kind = type_from_ast(self.context.schema, defined.type)
            if kind is None:
                continue
            kind = _as_expected(kind, usage.type)
            if not allowed_variable_usage(
                self.context.schema, kind, defined.default_value, usage.type, usage.default_value
            ):
                say = f"Variable '${usage.node.name.value}' of type '{kind}' used in position expecting '{usage.type}'."
                self.report_error(GraphQLError(say, [defined, usage.node]))


def _as_expected(kind: Any, expected: Any) -> Any:
    """Return `kind` with its innermost type replaced by the expected one where the two mean the same."""
    if isinstance(kind, GraphQLNonNull):
        return GraphQLNonNull(_as_expected(kind.of_type, expected))
    if isinstance(expected, GraphQLNonNull):
        return _as_expected(kind, expected.of_type)
    if isinstance(expected, GraphQLList):
        if isinstance(kind, GraphQLList):
            return GraphQLList(_as_expected(kind.of_type, expected.of_type))
        return GraphQLList(_as_expected(kind, expected.of_type))
    if isinstance(kind, GraphQLNamedType) and isinstance(expected, GraphQLNamedType):
        same = any(kind.name in group and expected.name in group for group in SAME)
        return expected if same else kind
    return kind


_RULES = (
    *(rule for rule in specified_rules if rule is not VariablesInAllowedPositionRule),
    _VariablesStandIn,
    MaxIntrospectionDepthRule,
)
