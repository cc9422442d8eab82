"""What a screen says about its server: pure functions from a session to text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from textual.content import Content

from flowlatch.api.backend import Locking
from flowlatch.config import Profile, is_loopback
from flowlatch.live.link import Phase
from flowlatch.live.session import Session
from flowlatch.text import one_line
from flowlatch.ui.format import clock, duration
from flowlatch.ui.keys import named

LOCKS = {
    Locking.ENFORCED: "by server",
    Locking.CHECKED: "checked by client (small gap)",
    Locking.NONE: "none",
}
"""Lock level → what the lock chip says (ux.md §2)."""
CALM_S = 1.0
"""A first connection that takes longer is spoken of."""
_HEADLINES = {
    Phase.OFFLINE: "OFFLINE",
    Phase.FOREIGN: "NO SERVER FOR US",
    Phase.UNAUTHORIZED: "TOKEN REFUSED",
}


def server_name(session: Session, *, short: bool = False) -> Content:
    """Return `prod · PROD · flowlatch · ops:4200` for the top line; `short` leaves out kind and address."""
    capabilities = session.capabilities
    address = session.url.split("://", 1)[-1].split("/", 1)[0]
    parts = [Content.styled(one_line(session.profile.name, 30), "bold")]
    if session.profile.production:
        parts.append(Content("PROD"))
    if capabilities and not short:
        parts.append(Content(str(capabilities.kind)))
    if address and address != session.profile.name and not short:
        parts.append(Content(one_line(address, 40)))
    if not session.profile.verify:
        parts.append(Content.styled("NOT VERIFIED", "$error bold"))
    if is_in_clear(session.profile):
        parts.append(Content.styled("NOT ENCRYPTED", "$error bold"))
    return Content(" · ").join(parts)


def is_in_clear(profile: Profile) -> bool:
    """True when whatever goes to the server, the token too, can be read on the way."""
    url = profile.url or ""
    return url.startswith("http:") and not is_loopback(url)


def command_server(session: Session) -> str:
    """Return what a command names this server by: its profile, or its URL where it was given as one."""
    profile = session.profile
    return profile.url if profile.url and profile.name == urlsplit(profile.url).netloc else profile.name


def mode(session: Session) -> str:
    """Return READ-WRITE or READ-ONLY; while there is no link changes are off for that reason."""
    if not session.link.is_online:
        return "CHANGES OFF"
    return "READ-WRITE" if session.why_read_only is None else "READ-ONLY"


def wall_clock(session: Session) -> str:
    """Return the server's time of day in the operator's zone, with its offset and without seconds."""
    return clock(session.now(), session.local_zone)


def freshness(session: Session, *, is_frozen: bool = False, frozen_at: datetime | None = None) -> Content:
    """Return `● live`, or how old the data is, or FROZEN (ux.md rows 2 and 3)."""
    now = session.local_now()
    if is_frozen:
        since = f" since {clock(frozen_at, session.local_zone, seconds=True)}" if frozen_at else ""
        return Content.styled(f"FROZEN{since}", "$state-late bold reverse")
    if session.link.is_live(now):
        return Content.assemble(("●", "$state-success"), " live")
    age = session.link.age_s(now)
    if age is None:
        return Content.styled("○ no data yet", "$state-late")
    return Content.styled(f"○ data {duration(age)} old", "$state-late")


def lock(session: Session) -> str:
    """Return the lock chip, e.g. `lock: by server`; empty before the first connection."""
    return f"lock: {LOCKS[session.capabilities.locking]}" if session.capabilities else ""


def band(session: Session, *, letters_are_keys: bool, keymap: Mapping[str, str] | None = None) -> tuple[Content, ...]:
    """Return the lines of the connection band; none while the link is up.

    With `letters_are_keys` False (forms, prompts) only ctrl+r is offered: letters are text there.
    """
    link, now, zone = session.link, session.local_now(), session.local_zone
    if link.phase is Phase.ONLINE:
        return ()
    if link.phase is Phase.CONNECTING:
        if band_waits_s(session):
            return ()
        return (Content(f"connecting to {one_line(session.url or session.profile.name, 80)} …"),)
    since = ""
    if link.since:
        since = f" since {link.since.astimezone(zone):%H:%M:%S} ({duration(now - link.since)})"
    shown = "nothing to show yet; changes are off"
    if link.last_data_at:
        shown = f"showing data from {link.last_data_at.astimezone(zone):%H:%M:%S}; changes are off"
    next_try = "trying now …"
    if link.next_try_at:
        next_try = f"next try in {duration(max((link.next_try_at - now).total_seconds(), 0))}"
    keys: list[Content | str] = [f"{shown}   ", Content.styled(named("{try_now}", keymap), "bold"), " Try now"]
    if letters_are_keys:
        keys += ["  ", Content.styled(named("{connections}", keymap), "bold"), " Switch"]
    return (
        Content.styled(f"✗ {_HEADLINES[link.phase]}{since} · {next_try}", "bold"),
        Content(one_line(link.reason)),
        Content.assemble(*keys),
    )


def band_waits_s(session: Session) -> float:
    """Return for how long nothing is said yet about a first connection, which mostly is there before one can read it.

    The band comes and goes with a layout of the whole screen, just when the first rows are due.
    """
    link = session.link
    if link.phase is not Phase.CONNECTING or link.since is None:
        return 0.0
    return max(0.0, CALM_S - (session.local_now() - link.since).total_seconds())


def band_is_calm(session: Session) -> bool:
    """True while the band only says that the first connection is being made."""
    return session.link.phase is Phase.CONNECTING
