"""Turns what the session hears into messages for the screens, and lets bursts wait for each other."""

from __future__ import annotations

import time
from collections.abc import Callable

from flowlatch.live.link import Event, LinkChanged, Reload, RunsChanged
from flowlatch.model.change import ChangeBatch, RunChange
from flowlatch.model.run import RunId
from flowlatch.ui import messages

FRAME_S = 0.04
"""Bursts of changes reach the screens this often at most; a single change at once."""
REST_S = 2.0
"""The same, while nobody looks."""


class Newsroom:
    """Collects events. `post` sends a message to every screen; `later` calls back after some seconds."""

    def __init__(
        self,
        post: Callable[[messages.News], None],
        later: Callable[[float, Callable[[], None]], object],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_resting = False
        """True while nobody looks at the screen."""
        self._post = post
        self._later = later
        self._monotonic = monotonic
        self._waiting: dict[RunId, RunChange] = {}
        self._cursor = ""
        self._is_due = False
        self._last_at_s = -1e9

    def hear(self, event: Event) -> None:
        """Take one event of the session."""
        match event:
            case RunsChanged(batch):
                self._collect(batch)
            case LinkChanged(link):
                self._post(messages.LinkChanged(link))
                self._post(messages.WritingChanged())
            case Reload(reason):
                self._waiting.clear()
                self._post(messages.Reload(reason))

    def _collect(self, batch: ChangeBatch) -> None:
        for change in batch.changes:
            self._waiting.pop(change.id, None)
            self._waiting[change.id] = change
        self._cursor = batch.cursor
        if self._is_due:
            return
        rest_s = REST_S if self.is_resting else FRAME_S
        left_s = self._last_at_s + rest_s - self._monotonic()
        if left_s <= 0:
            self.flush()
        else:
            self._is_due = True
            self._later(left_s, self.flush)

    def flush(self) -> None:
        """Send what waits, now."""
        self._is_due = False
        if self._waiting:
            self._last_at_s = self._monotonic()
            changes = list(self._waiting.values())
            self._waiting = {}
            self._post(messages.RunsChanged(ChangeBatch(cursor=self._cursor, changes=changes)))
