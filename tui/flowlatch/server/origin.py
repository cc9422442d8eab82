"""The headers of a request, and who asks by them. Source: contract.md §1.3, design.md §9."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import unquote

from flowlatch.server.conditions import stored_id
from flowlatch.store.base import Origin, Refusal

ACTOR_LIMIT = 200
"""Bytes of X-Flowlatch-Actor in UTF-8, decoded."""
_TELLING = ("x-flowlatch-actor", "x-prefect-agent-id", "x-prefect-core-version", "x-prefect-tenant-id")


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name; of a repeated one the first."""
    headers: dict[str, str] = {}
    for name, value in raw:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return headers


def origin_of(headers: Mapping[str, str], token_name: str | None) -> Origin:
    """Return who asks, as operations see it. Headers that are no ids are left out: old clients send anything."""
    return _origin(token_name, *(headers.get(name, "") for name in _TELLING))


@lru_cache(maxsize=512)
def _origin(token_name: str | None, actor: str, agent: str, core_version: str, tenant: str) -> Origin:
    """Return who asks by these headers; the same client asks again and again."""
    agent_id = _id(agent)
    return Origin(
        actor=token_name or _actor(actor) or (f"agent {agent_id}" if agent_id else None),
        agent_id=agent_id,
        core_version=unquote(core_version)[:100] or None,
        tenant_id=_id(tenant),
    )


def _actor(said: str) -> str | None:
    """Return what a client says in X-Flowlatch-Actor, else None."""
    if not said or len(said) > 3 * ACTOR_LIMIT:
        return None
    actor = unquote(said, errors="replace").replace("\0", "")
    return actor.encode("utf-8", "replace")[:ACTOR_LIMIT].decode("utf-8", "ignore") or None


def _id(text: str) -> str | None:
    try:
        return stored_id(text) if text else None
    except Refusal:
        return None
