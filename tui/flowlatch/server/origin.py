"""The headers of a request, and who asks by them. Source: contract.md §1.3, design.md §9."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from flowlatch.server.conditions import stored_id
from flowlatch.store.base import Origin, Refusal

ACTOR_LIMIT = 200
"""Bytes of X-Flowlatch-Actor in UTF-8, decoded."""


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name; of a repeated one the first."""
    headers: dict[str, str] = {}
    for name, value in raw:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return headers


def origin_of(headers: Mapping[str, str], token_name: str | None) -> Origin:
    """Return who asks, as operations see it. Headers that are no ids are left out: old clients send anything."""
    agent_id = _id(headers.get("x-prefect-agent-id"))
    return Origin(
        actor=actor_of(headers, token_name) or (f"agent {agent_id}" if agent_id else None),
        agent_id=agent_id,
        core_version=unquote(headers.get("x-prefect-core-version", ""))[:100] or None,
        tenant_id=_id(headers.get("x-prefect-tenant-id")),
    )


def actor_of(headers: Mapping[str, str], name: str | None) -> str | None:
    """Return who asks: the token's name, else what the client says in X-Flowlatch-Actor, else None."""
    if name:
        return name
    said = headers.get("x-flowlatch-actor", "")
    if not said or len(said) > 3 * ACTOR_LIMIT:
        return None
    actor = unquote(said, errors="replace").replace("\0", "")
    return actor.encode("utf-8", "replace")[:ACTOR_LIMIT].decode("utf-8", "ignore") or None


def _id(text: str | None) -> str | None:
    try:
        return stored_id(text) if text else None
    except Refusal:
        return None
