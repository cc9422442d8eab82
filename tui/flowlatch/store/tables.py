"""What a table, a column and an index are, and how they are written in SQL: all that `store.schema` is made of.

Plain values: a library that builds SQL for every database took 0.4 s of each start and a third of the server's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds; the value is the name of its type on the wire. How it is stored: `store.schema`."""

    UUID = "uuid"
    TEXT = "String"
    INTEGER = "Int"
    BOOLEAN = "Boolean"
    TIMESTAMP = "timestamptz"
    INTERVAL = "interval"
    JSON = "jsonb"

    @property
    def is_number(self) -> bool:
        """True when it is kept as a whole number, else as text."""
        return self in (Kind.INTEGER, Kind.BOOLEAN, Kind.INTERVAL)


@dataclass(frozen=True)
class Types:
    """How a kind of database writes what columns are kept as."""

    number: str = "INTEGER"
    text: str = "TEXT"
    counter: str = "INTEGER"
    """Of the column `seq`, which numbers rows by itself."""
    by_key: str = " WITHOUT ROWID"
    """What ends a table that is kept in the order of its key."""


SQLITE_TYPES = Types()


@dataclass(frozen=True)
class Column:
    """One column. `default` and `check` are SQL; `owner` names the table whose `id` it holds and goes with."""

    name: str
    kind: Kind = Kind.TEXT
    nullable: bool = True
    default: str | None = None
    check: str | None = None
    owner: str | None = None
    is_owner_deferred: bool = False
    """True when the owner may be written later in the same transaction."""

    def line(self, types: Types) -> str:
        """Return its line in CREATE TABLE."""
        kept = types.counter if self.name == "seq" else types.number if self.kind.is_number else types.text
        default = f" DEFAULT {self.default}" if self.default else ""
        check = f" CHECK ({self.check})" if self.check else ""
        return f"{self.name} {kept}{default}{'' if self.nullable else ' NOT NULL'}{check}"


@dataclass(frozen=True)
class Index:
    """An index over some columns; `where` is the condition of a partial one, in SQL."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str | None = None


class Table:
    """A table: its columns by name, its primary key, and its indexes."""

    def __init__(
        self,
        name: str,
        columns: tuple[Column, ...],
        indexes: tuple[Index, ...] = (),
        *,
        key: tuple[str, ...] = ("seq",),
        unique: tuple[str, ...] = (),
        has_rowid: bool = True,
    ) -> None:
        self.name = name
        self.columns = {column.name: column for column in columns}
        self.indexes = indexes
        self.key = key
        self._unique, self._has_rowid = unique, has_rowid

    def statements(self, types: Types = SQLITE_TYPES) -> Iterator[str]:
        """Return the statements that make the table and its indexes."""
        lines = [column.line(types) for column in self.columns.values()]
        lines.append(f"PRIMARY KEY ({', '.join(self.key)})")
        lines += (f"UNIQUE ({name})" for name in self._unique)
        for column in self.columns.values():
            if column.owner:
                deferred = " DEFERRABLE INITIALLY DEFERRED" if column.is_owner_deferred else ""
                lines.append(f"FOREIGN KEY ({column.name}) REFERENCES {column.owner} (id) ON DELETE CASCADE{deferred}")
        end = ")" if self._has_rowid else f"){types.by_key}"
        yield f"CREATE TABLE {self.name} (\n    " + ",\n    ".join(lines) + f"\n{end}"
        for index in self.indexes:
            yield self.index_statement(index)

    def index_statement(self, index: Index) -> str:
        """Return the statement that makes one of its indexes."""
        unique = "UNIQUE " if index.unique else ""
        where = f" WHERE {index.where}" if index.where else ""
        return f"CREATE {unique}INDEX {index.name} ON {self.name} ({', '.join(index.columns)}){where}"
