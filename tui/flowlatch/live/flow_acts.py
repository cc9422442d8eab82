"""Acts on a flow, kept in the journal like those on a run: archive a version, switch its schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from flowlatch.errors import BackendError, OutcomeUnknown, Rejected, Unreachable
from flowlatch.live.session import Session
from flowlatch.model.run import Flow
from flowlatch.text import one_line


async def archive(session: Session, flow: Flow) -> str | None:
    """Archive a flow version; None when it is done, else one clean line that says why it is not, or not known."""
    return await _act(session, "archive_flow", flow, lambda: session.backend.archive_flow(flow.id))


async def set_schedule(session: Session, flow: Flow, active: bool) -> str | None:
    """Switch a flow's schedule; None when it is done, else one clean line that says why it is not, or not known."""
    action = "schedule_on" if active else "schedule_off"
    return await _act(session, action, flow, lambda: session.backend.set_schedule_active(flow.id, active))


async def _act(session: Session, action: str, flow: Flow, act: Callable[[], Awaitable[None]]) -> str | None:
    journal = session.journal
    entry = await asyncio.to_thread(
        journal.begin,
        action,
        profile=session.profile.name,
        server=session.url,
        actor=session.target.actor,
        run=f"{flow.name} v{flow.version}" if flow.version is not None else flow.name,
    )
    word, detail = "applied", ""
    try:
        await act()
    except BackendError as error:
        word, detail = _word(error), one_line(error)
    await asyncio.to_thread(journal.finish, entry, word, detail=detail)
    return None if word == "applied" else f"{word}: {detail}"


def _word(error: BackendError) -> str:
    if isinstance(error, OutcomeUnknown):
        return "unknown"
    if isinstance(error, Rejected):
        return "refused"
    return "unknown" if isinstance(error, Unreachable) else "refused"
