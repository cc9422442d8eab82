"""Connections to PostgreSQL: how they are opened, how our SQL is put to them, what their errors mean to a caller."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import TextLoader

from flowlatch.errors import ConfigError
from flowlatch.store.base import Refusal, StoreUnusable

OLDEST_VERSION = 140_000
"""`server_version_num` of the oldest release that is looked after by its makers."""
CONNECT_S = 5
LOCK_S = 5.0
"""Time that a transaction waits for its turn among all servers."""
READ_S = 60
"""Bound on one statement of a reader in the database itself; the server stops waiting long before."""

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]

# It warns of what is raised anyway.
logging.getLogger("psycopg").setLevel(logging.ERROR)

_COMMON: Mapping[str, str | int] = {
    "application_name": "flowlatch",
    "connect_timeout": CONNECT_S,
    # A host that vanished without a word is noticed after some 20 s and not after two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
_WRITER = (
    f"-c lock_timeout={LOCK_S:.0f}s -c idle_in_transaction_session_timeout=10s -c statement_timeout=30s"
    " -c default_transaction_isolation=read\\ committed"
)
_READER = (
    f"-c default_transaction_read_only=on -c statement_timeout={READ_S}s"
    " -c plan_cache_mode=force_custom_plan"  # one plan for all values would walk the wrong index for some
)

_STORAGE = (errors.DiskFull, errors.ReadOnlySqlTransaction, errors.IoError)
_BUSY = (
    errors.LockNotAvailable,
    errors.QueryCanceled,
    errors.IdleInTransactionSessionTimeout,
    psycopg.OperationalError,
)


def place(url: str) -> str:
    """Return how libpq is told of a database. Raises `ConfigError` for text that names none, or that has a password."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigError("--database: the form is postgresql://USER@HOST:PORT/NAME; leave it out for SQLite")
    try:
        named = conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigError("--database: not a URL that libpq can read: postgresql://USER@HOST:PORT/NAME") from None
    if named.get("password"):
        raise ConfigError(
            "--database: leave the password out, everybody on this machine could read it; "
            "put it into PGPASSWORD or the file that PGPASSFILE names"
        )
    return make_conninfo(url, **{name: value for name, value in _COMMON.items() if name not in named})


def shown(url: str) -> str:
    """Return a place for the log and for errors: host, port and database."""
    named = conninfo_to_dict(url)
    host, port = named.get("host") or "local socket", named.get("port")
    return f"postgresql {named.get('dbname') or 'database of the user'} on {host}{f':{port}' if port else ''}"


def connect_writer(conninfo: str) -> Connection:
    """Return a connection for the thread that writes: what it commits is on the disk. Raises the driver's errors."""
    connection = _connect(conninfo, _WRITER)
    row = connection.execute("SHOW synchronous_commit").fetchone()
    if row is not None and row[0] == "off":
        connection.execute("SET synchronous_commit = on")
    return connection


def connect_reader(conninfo: str) -> Connection:
    """Return a connection that cannot write. Raises the driver's errors."""
    return _connect(conninfo, _READER)


def _connect(conninfo: str, options: str) -> Connection:
    named = conninfo_to_dict(conninfo)
    given = named.get("options")
    connection = psycopg.connect(
        make_conninfo(conninfo, options=f"{given} {options}" if given else options), autocommit=True
    )
    for kind in ("json", "jsonb"):
        connection.adapters.register_loader(kind, TextLoader)
    return connection


def recognise(connection: Connection, where: str) -> None:
    """Refuse a database that cannot keep our rows. Raises `StoreUnusable`."""
    if connection.info.server_version < OLDEST_VERSION:
        raise StoreUnusable(f"{where}: PostgreSQL {OLDEST_VERSION // 10_000} or newer is needed")
    row = connection.execute("SHOW server_encoding").fetchone()
    if row is None or row[0] != "UTF8":
        raise StoreUnusable(f"{where}: the database's encoding must be UTF8, not {row[0] if row else 'unknown'}")


# ---- SQL -----------------------------------------------------------------------------------------------------------

_PART = re.compile(
    r"(?P<text>'(?:[^']|'')*')|(?P<cast>::)|:(?P<name>[a-z_]\w*)|(?P<place>\?)|(?P<percent>%)|(?P<same>\bIS (?=[?:]))"
    r"|\b(?P<json>json_each|json_extract)(?=\()"
)


@lru_cache(maxsize=2048)
def adapted(sql: str) -> str:
    """Return a statement of ours as the driver takes it: `:name` and `?` are operands, `IS ?` holds for two nulls."""
    return _PART.sub(_adapt, sql)


def _adapt(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "text" | "percent":
            return match[0].replace("%", "%%")
        case "name":
            return f"%({match['name']})s"
        case "place":
            return "%s"
        case "same":
            return "IS NOT DISTINCT FROM "
        case "json":
            return f"flowlatch_{match[0]}"
        case _:
            return match[0]


# ---- errors --------------------------------------------------------------------------------------------------------


def as_refusal(error: psycopg.Error) -> Refusal | None:
    """Return what a driver's error means to a caller, or None for a fault of ours."""
    if isinstance(error, _STORAGE):
        return Refusal("STORAGE_FULL", "the database cannot write: disk full or read-only; nothing was changed")
    if isinstance(error, errors.ProgramLimitExceeded):
        return Refusal("BAD_USER_INPUT", "a name, label or key is too long for PostgreSQL: some 2,600 bytes at most")
    if isinstance(error, _BUSY):
        return Refusal("BUSY", "the database does not answer or is locked; nothing was changed")
    return None


def reason_of(error: psycopg.Error) -> str:
    """Return the first line of what the driver says."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
