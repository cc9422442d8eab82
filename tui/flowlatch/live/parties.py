"""Who is behind an actor's name, as far as it can be told: a person, a program, or nobody known.

A server keeps an actor as text: a token's name, `user@host` from a dashboard or a command, or an agent's id
(design.md §5). Only the middle one is surely a person.
"""

from __future__ import annotations

import re

from flowlatch.text import one_line

_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_PROGRAM = re.compile(r"^(?:agent|worker|scheduler|server|flowlatch)\b", re.IGNORECASE)


def is_person(actor: str | None) -> bool:
    """True when a named party that is no agent and no part of the server acted."""
    if not actor:
        return False
    return not _UUID.fullmatch(actor) and not _PROGRAM.match(actor)


def party(actor: str | None, *, me: str = "") -> str:
    """Return how an actor is written: `mira@ops-2 (you)`, `agent 7c1f…e02a`, `unknown`. Clean."""
    if not actor:
        return "unknown"
    if actor == me:
        return f"{one_line(actor, 60)} (you)"
    if _UUID.fullmatch(actor):
        return f"agent {actor[:4]}…{actor[-4:]}"
    return one_line(actor, 60)
