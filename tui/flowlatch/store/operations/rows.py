"""What every operation needs: rows in and out, JSON as text, and the refusals that many share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from flowlatch.store.base import Refusal, Tx

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
EMPTY_OBJECT = "{}"
EMPTY_LIST = "[]"


@lru_cache(maxsize=256)
def _insert_sql(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    values = ", ".join(f":{column}" for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({values})"


def insert(tx: Tx, table: str, values: Mapping[str, Any]) -> str:
    """Insert a row of a wire table and return its id; id, created and updated are filled in unless given."""
    row = {"id": None, "created": tx.now_text, "updated": tx.now_text, **values}
    if row["id"] is None:
        row["id"] = tx.new_id()
    tx.execute(_insert_sql(table, tuple(row)), row)
    return str(row["id"])


@lru_cache(maxsize=256)
def _update_sql(table: str, columns: tuple[str, ...]) -> str:
    return f"UPDATE {table} SET {', '.join(f'{column} = :{column}' for column in columns)} WHERE id = :id"


def update(tx: Tx, table: str, row_id: str, values: Mapping[str, Any]) -> bool:
    """Set columns of a row of a wire table, and its `updated`; return whether there is such a row."""
    row = {**values, "updated": tx.now_text}
    sql = _update_sql(table, tuple(row))
    return bool(tx.execute(sql, {**row, "id": row_id}).rowcount)


def one(tx: Tx, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> tuple[Any, ...] | None:
    """Return the first row of a query, or None."""
    row: tuple[Any, ...] | None = tx.execute(sql, parameters).fetchone()
    return row


def column(tx: Tx, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
    """Return the first column of a query."""
    return [row[0] for row in tx.execute(sql, parameters).fetchall()]


def bad_input(message: str) -> Refusal:
    """Return the refusal of an input that cannot be used: what, where, allowed form."""
    return Refusal("BAD_USER_INPUT", message)


def not_found(what: str, row_id: str | None) -> Refusal:
    """Return the refusal of an id that names nothing."""
    return Refusal("NOT_FOUND", f"{what} {row_id} does not exist")


def uniqueness() -> Refusal:
    """Return the refusal of a name that is taken: the client looks for exactly this message (contract.md §1.4)."""
    return Refusal("CONFLICT", "Uniqueness violation.")


def to_json(value: Any, what: str) -> str:
    """Return a JSON value as the text to store: key order and big integers kept, no NaN, NUL or lone surrogate.

    Raises `Refusal`, naming `what` it was.
    """
    if value == {} and isinstance(value, dict):
        return EMPTY_OBJECT
    try:
        text = _ENCODER.encode(value)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise bad_input(f"{what}: a character is half of a surrogate pair, which is no text") from None
    except (ValueError, TypeError):
        raise bad_input(f"{what}: not a JSON value (NaN and Infinity are none)") from None
    except RecursionError:
        raise bad_input(f"{what}: nested too deeply") from None
    if "\\u0000" in text and _has_nul(value):
        raise bad_input(f"{what}: the character NUL cannot be stored")
    return text


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(_has_nul(item) for item in value)


def optional_json(value: Any, what: str) -> str | None:
    """Return a JSON value as text, None for None."""
    return None if value is None else to_json(value, what)


def from_json(text: str | None) -> Any:
    """Return the value of stored JSON, None for None."""
    return None if text is None else json.loads(text)


def as_object(value: Any, what: str) -> dict[str, Any]:
    """Return `value` if it is a JSON object, an empty one for None; refuse anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_input(f"{what} must be a JSON object")
    return value


def check_text(value: Any, what: str, limit: int, *, empty: bool = False) -> None:
    """Refuse anything but text of at most `limit` characters that can be stored exactly; `empty` allows "" too."""
    if not isinstance(value, str) or len(value) > limit or not (value or empty):
        raise bad_input(f"{what} must be text of {'at most' if empty else 'between 1 and'} {limit} characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise bad_input(f"{what}: a character is half of a surrogate pair, which is no text") from None
    if "\0" in value:
        raise bad_input(f"{what}: the character NUL cannot be stored")


def label_list(labels: Any, what: str = "labels") -> list[str]:
    """Return labels sorted, each once; refuse anything but a list of texts."""
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
        raise bad_input(f"{what} must be a list of texts")
    return sorted(set(labels))


def success(done: bool = True) -> dict[str, Any]:
    """Return the payload that says only whether something was done."""
    return {"success": done}
