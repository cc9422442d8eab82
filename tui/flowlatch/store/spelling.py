"""What databases spell differently in a SELECT: JSON, patterns, lists of values, the place of nulls.

The server writes its statements in the SQL that all share, with operands as `:name`, and asks for the rest here. Both
spellings mean the same; `tests/contract` and `tests/server` run on each.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol


class Spelling(Hashable, Protocol):
    """How one kind of database spells what a statement needs. All arguments and results are SQL."""

    pairs: int
    """Members that one JSON object can be made of at once."""
    is_text_walked: bool
    """True when text in names and messages is looked for by walking indexes (`server.walks`)."""

    def json_object(self, members: Sequence[tuple[str, str]]) -> str:
        """Return a JSON object of (key, value), `pairs` at most; keys are GraphQL names, which need no quoting."""
        ...

    def joined(self, objects: Sequence[str]) -> str:
        """Return one JSON object with the members of several."""
        ...

    def json_in(self, query: str) -> str:
        """Return what a query of one JSON value gives, as a member of another value; null for no row."""
        ...

    def json_list(self, members: str) -> str:
        """Return the JSON array of the column `member` of a query, in its order."""
        ...

    def json_column(self, column: str) -> str:
        """Return a column of JSON text as JSON."""
        ...

    def json_at(self, column: str, path: str) -> str:
        """Return what stands at a path (`selection.json_path`) in a column of JSON text."""
        ...

    def json_boolean(self, column: str) -> str:
        """Return a column of 0 and 1 as true and false."""
        ...

    def is_one_of(self, subject: str, values: str, *, is_number: bool, is_negated: bool = False) -> str:
        """Return "is one of (or: is none of) the members of this JSON array"."""
        ...

    def is_like(self, subject: str, pattern: str, glob: str) -> str:
        """Return "is like the LIKE pattern", which `glob` says as a GLOB one; case counts."""
        ...

    def is_like_any_case(self, subject: str, pattern: str, *, is_ascii: bool) -> str:
        """Return "is like the LIKE pattern" whatever the case; `is_ascii`: the pattern has no other character."""
        ...

    def several(self, columns: Sequence[str]) -> str:
        """Return several columns as one value that is never null."""
        ...

    def least(self, one: str, other: str) -> str:
        """Return the smaller of two numbers."""
        ...

    def average(self, column: str) -> str:
        """Return the average of a column."""
        ...

    def best_of_each(self, parts: Sequence[str], order: str, limit: str | None, offset: str | None) -> str:
        """Return the first rows, in an order over common columns, of several SELECTs; each row once."""
        ...

    def are_nulls_first(self, *, is_descending: bool) -> bool:
        """Return whether an order that says nothing of nulls puts them first."""
        ...


class Sqlite:
    """SQLite, with the functions of `store.sqlite.functions`."""

    pairs = 60  # it takes 127 arguments
    is_text_walked = True

    def json_object(self, members: Sequence[tuple[str, str]]) -> str:
        """See `Spelling`."""
        return f"json_object({_arguments(members)})"

    def joined(self, objects: Sequence[str]) -> str:
        """See `Spelling`."""
        inner = " || ',' || ".join(f"substr({made}, 2, length({made}) - 2)" for made in objects)
        return f"json('{{' || {inner} || '}}')"

    def json_in(self, query: str) -> str:
        """See `Spelling`."""
        return f"json(({query}))"

    def json_list(self, members: str) -> str:
        """See `Spelling`."""
        return f"(SELECT json_group_array(json(member)) FROM ({members}) AS listed)"

    def json_column(self, column: str) -> str:
        """See `Spelling`."""
        return f"json({column})"

    def json_at(self, column: str, path: str) -> str:
        """See `Spelling`."""
        return f"json({column} -> {path})"

    def json_boolean(self, column: str) -> str:
        """See `Spelling`."""
        return f"json(iif({column}, 'true', 'false'))"

    def is_one_of(self, subject: str, values: str, *, is_number: bool, is_negated: bool = False) -> str:
        """See `Spelling`."""
        return f"{subject} {'NOT IN' if is_negated else 'IN'} (SELECT value FROM json_each({values}))"

    def is_like(self, subject: str, pattern: str, glob: str) -> str:
        """See `Spelling`."""
        return f"{subject} GLOB {glob}"

    def is_like_any_case(self, subject: str, pattern: str, *, is_ascii: bool) -> str:
        """See `Spelling`."""
        return f"{subject} LIKE {pattern} ESCAPE '\\'" if is_ascii else f"flowlatch_ilike({pattern}, {subject}) = 1"

    def several(self, columns: Sequence[str]) -> str:
        """See `Spelling`."""
        return f"json_array({', '.join(columns)})"

    def least(self, one: str, other: str) -> str:
        """See `Spelling`."""
        return f"min({one}, {other})"

    def average(self, column: str) -> str:
        """See `Spelling`."""
        return f"avg({column})"

    def best_of_each(self, parts: Sequence[str], order: str, limit: str | None, offset: str | None) -> str:
        """See `Spelling`. It walks the parts side by side, each in its index."""
        return f"{' UNION '.join(parts)} ORDER BY {order}{page(limit, offset)}"

    def are_nulls_first(self, *, is_descending: bool) -> bool:
        """See `Spelling`: null is the least of all."""
        return not is_descending


class Postgres:
    """PostgreSQL, with the functions of `store.postgres.functions`."""

    pairs = 50  # it takes 100 arguments
    is_text_walked = False

    def json_object(self, members: Sequence[tuple[str, str]]) -> str:
        """See `Spelling`."""
        return f"json_build_object({_arguments(members)})"

    def joined(self, objects: Sequence[str]) -> str:
        """See `Spelling`."""
        inner = " || ',' || ".join(f"substr({made}::text, 2, length({made}::text) - 2)" for made in objects)
        return f"('{{' || {inner} || '}}')::json"

    def json_in(self, query: str) -> str:
        """See `Spelling`."""
        return f"({query})"

    def json_list(self, members: str) -> str:
        """See `Spelling`."""
        return f"(SELECT coalesce(json_agg(member), '[]'::json) FROM ({members}) AS listed)"

    def json_column(self, column: str) -> str:
        """See `Spelling`."""
        return f"{column}::json"

    def json_at(self, column: str, path: str) -> str:
        """See `Spelling`."""
        return f"flowlatch_json_at({column}, {path})"

    def json_boolean(self, column: str) -> str:
        """See `Spelling`."""
        return f"(coalesce({column}, 0) <> 0)"

    def is_one_of(self, subject: str, values: str, *, is_number: bool, is_negated: bool = False) -> str:
        """See `Spelling`. An array, not a query: the planner takes it for few values and goes by the index."""
        cast = "::bigint" if is_number else ""
        members = f"ARRAY(SELECT value{cast} FROM flowlatch_json_each({values}))"
        return f"{subject} <> ALL ({members})" if is_negated else f"{subject} = ANY ({members})"

    def is_like(self, subject: str, pattern: str, glob: str) -> str:
        """See `Spelling`."""
        return f"{subject} LIKE {pattern}"

    def is_like_any_case(self, subject: str, pattern: str, *, is_ascii: bool) -> str:
        """See `Spelling`. The columns compare bytes; case is a matter of a collation of its own."""
        return f"{subject} COLLATE flowlatch_any_case ILIKE {pattern}"

    def several(self, columns: Sequence[str]) -> str:
        """See `Spelling`."""
        return f"ROW({', '.join(columns)})"

    def least(self, one: str, other: str) -> str:
        """See `Spelling`."""
        return f"least({one}, {other})"

    def average(self, column: str) -> str:
        """See `Spelling`."""
        return f"avg({column})::float8"

    def best_of_each(self, parts: Sequence[str], order: str, limit: str | None, offset: str | None) -> str:
        """See `Spelling`. It would sort all rows of all parts, so that each is cut to what can be in the page."""
        cut = "" if limit is None else f" LIMIT {limit}::bigint" + (f" + {offset}::bigint" if offset else "")
        each = " UNION ".join(f"({part} ORDER BY {order}{cut})" for part in parts)
        return f"{each} ORDER BY {order}{page(limit, offset)}"

    def are_nulls_first(self, *, is_descending: bool) -> bool:
        """See `Spelling`: null is the greatest of all."""
        return is_descending


def page(limit: str | None, offset: str | None) -> str:
    """Return the end of a statement that cuts a page out of its rows; SQLite knows no offset without a limit."""
    limited = f" LIMIT {limit or 2**63 - 1}" if limit or offset else ""
    return f"{limited}{f' OFFSET {offset}' if offset else ''}"


def _arguments(members: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"'{key}', {value}" for key, value in members)


SQLITE, POSTGRES = Sqlite(), Postgres()
