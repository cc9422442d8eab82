"""The read side of the contract, written out from the tables: types, conditions, orders and roots.

Source: contract.md §3. The result is SDL text, so that it can be read and reviewed like the hand-written part.
"""

from __future__ import annotations

from flowlatch.server.relations import CURRENT_STATE, RELATIONS, TABLES, scalar_of, wire_columns
from flowlatch.store.tables import Table

SCALARS = ("uuid", "String", "Int", "Boolean", "timestamptz", "interval", "jsonb")
SUMMABLE = ("Int",)
ORDERED = ("uuid", "String", "Int", "timestamptz", "interval")
PATTERNS = ("_like", "_nlike", "_ilike", "_nilike")

_ORDER = """enum order_by { asc desc asc_nulls_first asc_nulls_last desc_nulls_first desc_nulls_last }

input aggregate_order_by { count: order_by }"""


def read_schema() -> str:
    """Return the SDL of all tables; its `type Query` holds their roots only."""
    parts = [_ORDER, *(_comparison(scalar) for scalar in SCALARS)]
    parts += (_table_types(table) for table in TABLES.values())
    roots = "\n".join(_roots(name) for name in TABLES)
    return "\n\n".join([*parts, f"type Query {{\n{roots}\n}}"])


def list_arguments(name: str) -> str:
    """Return the arguments of a list of table `name`."""
    return (
        f"(where: {name}_bool_exp, order_by: [{name}_order_by!], limit: Int, offset: Int,"
        f" distinct_on: [{name}_select_column!])"
    )


def _comparison(scalar: str) -> str:
    fields = [f"{operator}: {scalar}" for operator in ("_eq", "_neq", "_gt", "_gte", "_lt", "_lte")]
    fields += [f"_in: [{scalar}!]", f"_nin: [{scalar}!]", "_is_null: Boolean"]
    if scalar == "String":
        fields += [f"{operator}: String" for operator in PATTERNS]
    if scalar == "jsonb":
        fields += ["_contains: jsonb", "_contained_in: jsonb", "_has_key: String"]
        fields += ["_has_keys_any: [String!]", "_has_keys_all: [String!]"]
    return f"input {scalar}_comparison_exp {{ {' '.join(fields)} }}"


def _roots(name: str) -> str:
    arguments = list_arguments(name)
    return (
        f"  {name}{arguments}: [{name}!]!\n  {name}_by_pk(id: uuid!): {name}\n"
        f"  {name}_aggregate{arguments}: {name}_aggregate!"
    )


def _fields(table: Table) -> dict[str, str]:
    """Return the scalar fields of a table with their types; the current state is one of them."""
    fields = {
        name: scalar_of(column) + ("" if column.nullable else "!") for name, column in wire_columns(table).items()
    }
    if table.name in CURRENT_STATE:
        fields["serialized_state"] = "jsonb"
    return fields


def _table_types(table: Table) -> str:
    name, fields, relations = table.name, _fields(table), RELATIONS[table.name]
    lines = [
        f"  {field}{'(path: String)' if kind.startswith('jsonb') else ''}: {kind}" for field, kind in fields.items()
    ]
    conditions = [f"  {field}: {kind.rstrip('!')}_comparison_exp" for field, kind in fields.items()]
    orders = [f"  {field}: order_by" for field in fields]
    for relation, way in relations.items():
        target = way.target.name
        conditions.append(f"  {relation}: {target}_bool_exp")
        if way.many:
            arguments = list_arguments(target)
            lines.append(f"  {relation}{arguments}: [{target}!]!")
            lines.append(f"  {relation}_aggregate{arguments}: {target}_aggregate!")
            orders.append(f"  {relation}_aggregate: aggregate_order_by")
        else:
            lines.append(f"  {relation}: {target}")
            orders.append(f"  {relation}: {target}_order_by")
    if name == "flow_run":
        lines.append("  idempotency: flow_run_idempotency")
    logic = f"  _and: [{name}_bool_exp]\n  _or: [{name}_bool_exp]\n  _not: {name}_bool_exp"
    return "\n".join(
        [
            f"type {name} {{",
            *lines,
            "}",
            f"input {name}_bool_exp {{\n{logic}",
            *conditions,
            "}",
            f"input {name}_order_by {{",
            *orders,
            "}",
            f"enum {name}_select_column {{ {' '.join(fields)} }}",
            _aggregate_types(name, fields),
        ]
    )


def _aggregate_types(name: str, fields: dict[str, str]) -> str:
    ordered = [f"{field}: {kind.rstrip('!')}" for field, kind in fields.items() if kind.rstrip("!") in ORDERED]
    summable = [field for field, kind in fields.items() if kind.rstrip("!") in SUMMABLE]
    functions = [f"min: {name}_min_fields", f"max: {name}_max_fields"]
    types = [f"type {name}_{kind}_fields {{ {' '.join(ordered)} }}" for kind in ("min", "max")]
    if summable:
        functions += [f"sum: {name}_sum_fields", f"avg: {name}_avg_fields"]
        types.append(f"type {name}_sum_fields {{ {' '.join(f'{field}: Int' for field in summable)} }}")
        types.append(f"type {name}_avg_fields {{ {' '.join(f'{field}: Float' for field in summable)} }}")
    count = f"count(columns: [{name}_select_column!], distinct: Boolean): Int!"
    return "\n".join(
        [
            f"type {name}_aggregate {{ aggregate: {name}_aggregate_fields nodes: [{name}!]! }}",
            f"type {name}_aggregate_fields {{ {count} {' '.join(functions)} }}",
            *types,
        ]
    )
