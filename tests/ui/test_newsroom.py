"""How often changes reach the screen: at once, in bursts once a frame, rarely while nobody looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowlatch.live.link import RunsChanged
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.run import RunId
from flowlatch.ui import messages
from flowlatch.ui.newsroom import FRAME_S, REST_S, Newsroom


class Office:
    """A newsroom on a clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.posted: list[list[str]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.room = Newsroom(self._post, lambda s, do: self.timers.append((s, do)), monotonic=lambda: self.now_s)

    def _post(self, message: messages.News) -> None:
        assert isinstance(message, messages.RunsChanged)
        self.posted.append([change.id for change in message.batch.changes])

    def hear(self, *ids: str) -> None:
        changes = [RunChange(id=RunId(each), kind=ChangeKind.GONE) for each in ids]
        self.room.hear(RunsChanged(ChangeBatch(cursor="c", changes=changes)))


def test_one_change_is_shown_at_once_and_a_burst_together() -> None:
    office = Office()
    office.hear("a")
    assert office.posted == [["a"]]
    office.hear("b")
    office.hear("c", "b")
    assert office.posted == [["a"]]
    [(wait_s, flush)] = office.timers
    assert wait_s == pytest.approx(FRAME_S)
    flush()
    assert office.posted == [["a"], ["c", "b"]]


def test_while_nobody_looks_changes_wait_longer_and_a_look_brings_them_all() -> None:
    office = Office()
    office.room.is_resting = True
    office.hear("a")
    office.now_s += 0.5
    office.hear("b")
    [(wait_s, _)] = office.timers
    assert wait_s == REST_S - 0.5
    office.room.is_resting = False
    office.room.flush()
    assert office.posted == [["a"], ["b"]]
