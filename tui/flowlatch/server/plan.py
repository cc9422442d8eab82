"""What one table field asks for, as plain values: the tree that is compiled to SQL, with every operand moved out.

A plan is hashable and holds no operand, only its place in the list of values: the same question with other values is
the same plan, so its SQL is compiled once (compile.py). Conditions are built by conditions.py, trees by selection.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Values:
    """The operands of one statement, bound as `p0`, `p1`, …"""

    items: list[Any] = field(default_factory=list)

    def add(self, value: Any) -> int:
        """Take an operand in and return its place."""
        self.items.append(value)
        return len(self.items) - 1

    def parameters(self) -> dict[str, Any]:
        """Return them as named parameters."""
        return {f"p{index}": value for index, value in enumerate(self.items)}


# ---- conditions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compare:
    """`column operator operand`. `hint` says how the operand was prepared (see conditions.py)."""

    column: str
    operator: str
    operand: int | bool
    hint: str = ""
    extra: int | None = None
    """Place of a second operand: the text for the index of run names, or the pattern of `_like` as a GLOB one."""


@dataclass(frozen=True)
class Group:
    """All (`and`) or any (`or`) of some conditions; `not` negates all of them."""

    kind: str
    members: tuple[Condition, ...]


@dataclass(frozen=True)
class Related:
    """A related row that meets a condition exists."""

    relation: str
    condition: Condition


Condition = Compare | Group | Related
EVERYTHING = Group("and", ())


# ---- order and page ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderBy:
    """One key of an order: a column, reached through object relations, or a count of an array relation."""

    path: tuple[str, ...]
    """Relations to follow."""
    column: str
    """Column name, or empty for the number of rows of the last relation in `path`."""
    direction: str


@dataclass(frozen=True)
class ListArguments:
    """Arguments of a list, operands by place."""

    where: Condition = EVERYTHING
    order_by: tuple[OrderBy, ...] = ()
    limit: int | None = None
    offset: int | None = None
    distinct_on: tuple[str, ...] = ()

    @property
    def is_page(self) -> bool:
        """True when not all matching rows are meant."""
        return self.limit is not None or self.offset is not None or bool(self.distinct_on)


# ---- selections ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaf:
    """A column under its response key; `path` is the place of a JSON path."""

    key: str
    column: str
    path: int | None = None


@dataclass(frozen=True)
class Constant:
    """`__typename`."""

    key: str
    text: str


@dataclass(frozen=True)
class Idempotency:
    """The key of a flow run while it lives."""

    key: str
    fields: tuple[Leaf | Constant, ...]


@dataclass(frozen=True)
class One:
    """An object relation."""

    key: str
    relation: str
    selection: tuple[Selected, ...]


@dataclass(frozen=True)
class Many:
    """An array relation."""

    key: str
    relation: str
    arguments: ListArguments
    selection: tuple[Selected, ...]


@dataclass(frozen=True)
class Counted:
    """`count(columns, distinct)`."""

    key: str
    columns: tuple[str, ...] = ()
    distinct: bool = False


@dataclass(frozen=True)
class Folded:
    """`min`, `max`, `sum` or `avg` of some columns."""

    key: str
    function: str
    fields: tuple[Leaf | Constant, ...]


@dataclass(frozen=True)
class AggregateFields:
    """The `aggregate` part."""

    key: str
    fields: tuple[Counted | Folded | Constant, ...]


@dataclass(frozen=True)
class Nodes:
    """The `nodes` part."""

    key: str
    selection: tuple[Selected, ...]


@dataclass(frozen=True)
class Aggregate:
    """An aggregate of a table or of an array relation (`relation` empty at the root)."""

    key: str
    relation: str
    arguments: ListArguments
    parts: tuple[AggregateFields | Nodes | Constant, ...]


Selected = Leaf | Constant | Idempotency | One | Many | Aggregate


@dataclass(frozen=True)
class RootList:
    """`T(…)`; with `by_pk` the place of an id."""

    table: str
    arguments: ListArguments
    selection: tuple[Selected, ...]
    by_pk: int | None = None


@dataclass(frozen=True)
class RootAggregate:
    """`T_aggregate(…)`."""

    table: str
    aggregate: Aggregate


Root = RootList | RootAggregate
