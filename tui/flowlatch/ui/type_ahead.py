"""Keys typed faster than the screen follows: each one finds what the key before it opened.

Textual hands a key to what has the focus when the key is read. A line pasted, or a burst that a slow link delivers at
once, would be read whole before the first key has opened its field: `/fail` would mark, filter and cancel.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

from flowlatch.ui.widgets.key_line import takes_text

PATIENCE_S = 0.5
"""The longest that a key waits for the one before it: whatever streams in meanwhile must not hold keys for ever."""
DRAWING_STEP_S = 0.004
"""Pause between two looks whether the screen has been drawn: some of the 17 ms between two drawings."""
QUIET_TURNS = 5
"""So many turns of the event loop in which nobody concerned has anything to do: what a key began has happened."""


class TypeAhead(App[object]):
    """An application that hands out one key at a time, the next when what the last one began has happened."""

    def __init__(self) -> None:
        self._typed: deque[events.Key | events.Paste] = deque()
        self._waiting: asyncio.Task[None] | None = None
        super().__init__()

    async def on_event(self, event: events.Event) -> None:
        """Keep keys and pasted text in their order; everything else goes its way."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._typed.append(event)
            if self._waiting is None:
                await self._hand_out()
        else:
            await super().on_event(event)

    @property
    def is_between_keys(self) -> bool:
        """True when all that was typed was handed out and what the last key began has happened."""
        return self._waiting is None and not self._typed

    async def end(self, return_code: int) -> None:
        """End at once, except that text which waits for the field in focus reaches it, and with it the form's draft."""
        if self._typed:
            await self._settled(but=self)
            field = self.focused
            if field is not None and takes_text(field):
                while self._typed and _is_text(self._typed[0]):
                    field._forward_event(self._typed.popleft())
                await self._settled(but=self)
            self._typed.clear()
        self.exit(return_code=return_code)

    async def _hand_out(self) -> None:
        if self._typed and self.screen_stack:  # it may end meanwhile
            await super().on_event(self._typed.popleft())
            self._waiting = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        try:
            await self._settled()
        finally:  # whatever happens here, no key may wait for ever
            if self._typed:
                self.call_next(self._hand_out)
            else:
                self._waiting = None

    async def _settled(self, *, but: MessagePump | None = None) -> None:
        gives_up_at_s, quiet_turns, pause_s = time.monotonic() + PATIENCE_S, 0, 0.0
        while quiet_turns < QUIET_TURNS and time.monotonic() < gives_up_at_s:
            await asyncio.sleep(pause_s)
            if not self.screen_stack:  # it ends
                return
            waits_for_drawing = self._waits_for_drawing()
            pause_s = DRAWING_STEP_S if waits_for_drawing else 0.0
            is_quiet = (
                self.screen.is_mounted
                and not waits_for_drawing
                and not any(_has_something_to_do(each) for each in self._concerned() if each is not but)
            )
            quiet_turns = quiet_turns + 1 if is_quiet else 0

    def _waits_for_drawing(self) -> bool:
        """True while rows or fields that the next key may move among come with the next drawing of the screen.

        Text for the field in focus needs neither.
        """
        if not (self.screen._callbacks or self.screen._layout_required):
            return False
        is_for_field = bool(self._typed) and _is_text(self._typed[0])
        return not (is_for_field and self.focused is not None and takes_text(self.focused))

    def _concerned(self) -> Iterator[MessagePump]:
        yield self
        yield from self.screen_stack
        if self.focused is not None:
            yield from self.focused.ancestors_with_self


def _is_text(event: events.Key | events.Paste) -> bool:
    return isinstance(event, events.Paste) or event.is_printable


def _has_something_to_do(pump: MessagePump) -> bool:
    return bool(pump.message_queue_size or pump._next_callbacks or pump._pending_message)
