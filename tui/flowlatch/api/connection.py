"""What the backends of all kinds of server have: address, link, pace of polls, and what probing found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flowlatch.api.backend import Capabilities, Traffic
from flowlatch.api.http import Link
from flowlatch.api.pace import Pace
from flowlatch.config import Profile


class Connection:
    """A connection to one server over a link; `connect` of each kind sets what it found."""

    def __init__(
        self, profile: Profile, link: Link, *, has_auth: bool, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self.url = link.url
        self._link = link
        self._profile = profile
        self._has_auth = has_auth
        self._capabilities: Capabilities | None = None
        self.start_cursor: str | None = None
        """Where `connect` found the server among all changes; None where it says none."""
        self._pace = Pace(profile.poll_s, sleep=sleep)

    @property
    def capabilities(self) -> Capabilities:
        """What `connect` found."""
        if self._capabilities is None:
            raise RuntimeError("connect first")
        return self._capabilities

    @property
    def traffic(self) -> Traffic:
        """Requests and bytes since it was opened."""
        return self._link.traffic

    def rest(self, is_resting: bool) -> None:
        """Poll seldom while nobody looks, and soon when somebody does again. Pushed changes come all the same."""
        self._pace.rest(is_resting)

    async def aclose(self) -> None:
        """Close connections."""
        await self._link.aclose()
