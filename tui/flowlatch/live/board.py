"""The window of rows: a stretch of a server-side list, kept true while the server changes.

The list is the server's: it may have a million rows, and who is in it in which order is decided there. Here is one
contiguous stretch around what is on the screen, and the run the operator stands on.

* A pushed row that is in the window and keeps its place is patched at once.
* Whatever may move rows (a new run, one that is gone, a change that the filter or the order looks at) makes the window
  *dirty*: it is asked for again, in one request.
* The selected run is never exchanged for another one. If it is not where the new window is, it stays at its place as a
  *guest* row until the cursor moves on. Only a run that the server says is gone gives the cursor up to what follows it,
  and the operator's own filter when it leaves that run out.

Two kinds of index: the server's (`offset` of a page), and the shown one, which counts the guest row too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flowlatch.model.change import ChangeBatch, ChangeKind, is_newer
from flowlatch.model.match import is_volatile, matches
from flowlatch.model.query import PAGE_LIMIT, Count, RunPage, RunQuery, SortKey, is_end
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.window import Window

WINDOW_LIMIT = 4 * PAGE_LIMIT
"""Rows kept at most; those farthest from the newest page are dropped."""
PREFETCH_ROWS = 60
"""When the screen comes this close to an end of the window, the next page is asked for."""
REMEMBERED = 5_000
"""Pushed rows remembered while a page is under way."""
YOUNG = timedelta(seconds=60)
"""An update of a younger run may have its `added` folded into it."""


@dataclass(frozen=True)
class Guest:
    """The selected run, shown although the list has it elsewhere or no longer."""

    index: int
    """Shown index."""
    run: FlowRun


class Board:
    """One list of runs and the place one looks at. It does no I/O: `wanted` says which page to load next."""

    def __init__(self) -> None:
        self.query = RunQuery()
        self.generation = 0
        """Goes up with each query; pages of an older one are dropped."""
        self.is_loaded = False
        self.is_dirty = False
        """True when the window must be asked for again."""
        self.total = 0
        """Runs that match, as the server counts; the guest row is not one of them."""
        self._is_total_old = False
        """True while `total` is that of the query before."""
        self.total_is_exact = True
        self.cursor = 0
        """Shown index of the selected row."""
        self.selected: RunId | None = None
        """None while the row under the cursor is not loaded, or there is none."""
        self._rows: list[FlowRun] = []
        self._offset = 0
        self._guest: Guest | None = None
        self._places: dict[RunId, int] = {}
        self._heard: dict[RunId, FlowRun | None] = {}
        self._is_overtaken = False

    @property
    def window(self) -> Window:
        """What to show now."""
        rows, offset, guest = tuple(self._rows), self._offset, self._guest
        if guest is None:
            return Window(rows, offset, self.total, self.total_is_exact, self.cursor)
        place = guest.index - offset
        if place < 0:
            return Window(rows, offset + 1, self.total + 1, self.total_is_exact, self.cursor, guest.run.id)
        shown = (*rows[:place], guest.run, *rows[place:]) if place <= len(rows) else rows
        return Window(shown, offset, self.total + 1, self.total_is_exact, self.cursor, guest.run.id)

    def selected_run(self) -> FlowRun | None:
        """Return the row under the cursor, None while it is not loaded."""
        return self.get(self.selected) if self.selected else None

    def get(self, run_id: RunId) -> FlowRun | None:
        """Return a loaded row."""
        if self._guest and self._guest.run.id == run_id:
            return self._guest.run
        place = self._places.get(run_id)
        return self._rows[place] if place is not None else None

    # What the operator does

    def ask(self, query: RunQuery, now: datetime) -> None:
        """Look at another list. Old rows stay until new ones come, the selected run unless a new filter excludes it."""
        before = self.query
        self.move_on(query)
        is_same_filter = replace(self.query, sort=before.sort) == before
        self._is_total_old = True
        run = self.selected_run()
        if run is None or not (is_same_filter or matches(run, self.query, now)):
            self._guest = None
            self.selected = None
            self.cursor = 0

    def move_on(self, query: RunQuery) -> None:
        """Look at the same list at another time: the selected run stays, also where the hours have left it behind."""
        self.query = replace(query, offset=0, limit=PAGE_LIMIT)
        self.generation += 1
        self.is_dirty = True
        self._heard.clear()

    def clear(self) -> None:
        """Forget every row: another database answers now. Query and generation go on."""
        query, generation = self.query, self.generation + 1
        self.__dict__.update(Board().__dict__)
        self.query, self.generation = query, generation

    def move_to(self, index: int, run_id: RunId | None = None) -> None:
        """Put the cursor on a shown index; a guest row is left behind and disappears.

        `run_id` is the run that was seen there: where rows have moved meanwhile, it decides.
        """
        if run_id is not None and run_id in self._places:
            index = self._offset + self._places[run_id]
            index += self._guest is not None and index >= self._guest.index
        index = max(0, min(index, self.window.total - 1))
        if self._guest and index != self._guest.index:
            index -= index > self._guest.index
            self._guest = None
        self.cursor = index
        row = self.window.row(index)
        self.selected = row.id if row else None

    # What to load

    def wanted(self, first: int, last: int, *, still: bool = False) -> RunQuery | None:
        """Return the page to ask for when shown rows `first` … `last` are on the screen; None when all is there.

        A dirty window is asked for around the screen, unless `still`; otherwise the page beyond the end that the
        screen comes near.
        """
        around = self._page_at(first - max(PAGE_LIMIT - (last - first), 0) // 2)
        end = self._offset + len(self._rows)
        if not self.is_loaded or (self.is_dirty and not still) or first > end or last < self._offset:
            return around
        if end < min(self.total, last + PREFETCH_ROWS):
            return self._page_at(end)
        if self._offset > max(0, first - PREFETCH_ROWS):
            return self._page_at(self._offset - PAGE_LIMIT)
        return None

    def is_guest_listed(self, now: datetime) -> bool:
        """True when the selected run belongs into the list, but not among the rows that are loaded."""
        return self._guest is not None and matches(self._guest.run, self.query, now)

    def rank_query(self) -> RunQuery | None:
        """Return the query whose count is the selected run's index, as far as equal times allow; None if unknown.

        Only for the order by start: that is a condition the query language has.
        """
        run = self.selected_run()
        if run is None or run.scheduled_start_time is None or self.query.sort.key is not SortKey.START:
            return None
        start = run.scheduled_start_time
        if self.query.sort.descending:
            floor = start + timedelta(microseconds=1)
            return replace(self.query, since=max(floor, self.query.since or floor))
        return replace(self.query, until=min(start, self.query.until or start))

    def expect(self) -> None:
        """A page is asked for now: what is heard from here on may be missing in it."""
        self._is_overtaken = False

    def _page_at(self, offset: int) -> RunQuery:
        return replace(self.query, offset=max(0, offset), limit=PAGE_LIMIT)

    # What the server says

    def take(self, page: RunPage, *, generation: int, limit: int = PAGE_LIMIT) -> bool:
        """Take a page that was asked for with `limit`; False when it belongs to an older query and was dropped."""
        if generation != self.generation:
            return False
        kept = self.selected_run()
        rows = self._refreshed(page.rows)
        is_old = self._is_overtaken or any(row is not sent for row, sent in zip(rows, page.rows, strict=False))
        end = self._offset + len(self._rows)
        is_next = page.offset <= end and page.offset + len(page.rows) >= self._offset
        if self.is_loaded and not self.is_dirty and is_next:
            self.is_dirty = self._join(page.offset, rows) or is_old
        else:
            self._rows, self._offset = rows, page.offset
            self.is_loaded, self.is_dirty = True, is_old
            self._heard.clear()
        self._count(page, limit)
        self._seat(kept)
        return True

    def _refreshed(self, rows: Sequence[FlowRun]) -> list[FlowRun]:
        """Put pushed rows that are newer in place of loaded ones; leave out those that are gone by now."""
        fresh: list[FlowRun] = []
        for row in rows:
            heard = self._heard.get(row.id, row)
            if heard is not None:
                fresh.append(heard if is_newer(heard, row) else row)
        return fresh

    def _join(self, offset: int, rows: list[FlowRun]) -> bool:
        """Put a page behind or before the window; True when a run is in both: then rows moved meanwhile."""
        known = {row.id for row in self._rows}
        if offset >= self._offset:
            added = rows[self._offset + len(self._rows) - offset :]
            joined = self._rows + [row for row in added if row.id not in known]
            surplus = max(len(joined) - WINDOW_LIMIT, 0)
            self._rows, self._offset = joined[surplus:], self._offset + surplus
        else:
            added = rows[: self._offset - offset]
            self._rows = ([row for row in added if row.id not in known] + self._rows)[:WINDOW_LIMIT]
            self._offset = offset
        return any(row.id in known for row in added)

    def _count(self, page: RunPage, limit: int) -> None:
        """Settle how long the list is; where the server stopped counting, it reaches a page beyond what is loaded."""
        if page.total is not None:
            self.total, self.total_is_exact = page.total, page.total_is_exact
        elif self._is_total_old:
            self.total, self.total_is_exact = 0, False
        self._is_total_old = False
        reached = page.offset + page.received
        if not self.total_is_exact:
            if is_end(page.received, page.offset, limit):
                self.total, self.total_is_exact = reached, True
            else:
                self.total = max(self.total, reached + (PAGE_LIMIT if page.received else 0))
        self.total = max(self.total, self._offset + len(self._rows) if self._rows else 0)

    def settle(self, count: Count, *, generation: int) -> bool:
        """Take the number of matches that was counted apart from the rows; False when it is of an older query."""
        if generation != self.generation or self._is_total_old:
            return False
        loaded = self._offset + len(self._rows)
        self.total, self.total_is_exact = max(count.value, loaded), count.is_exact
        if not count.is_exact:  # the list goes on behind what is loaded, as far as is known
            self.total = max(self.total, loaded + PAGE_LIMIT)
        self._seat(self.selected_run())
        return True

    def _seat(self, kept: FlowRun | None) -> None:
        """Find the selected run in the window; keep it as a guest at its place where it is not."""
        self._places = {row.id: place for place, row in enumerate(self._rows)}
        if kept is not None and kept.id in self._places:
            self._guest = None
            self.cursor = self._offset + self._places[kept.id]
            return
        if kept is not None:
            highest = self._offset + len(self._rows)
            index = max(self._offset, min(self.cursor, highest))
            self._guest = Guest(index, self._newest(kept))
            self.cursor = index
            return
        self._guest = None
        self.cursor = max(0, min(self.cursor, self.total - 1))
        row = self.window.row(self.cursor)
        self.selected = row.id if row else None

    def _newest(self, run: FlowRun) -> FlowRun:
        heard = self._heard.get(run.id)
        return heard if heard is not None and is_newer(heard, run) else run

    def apply(self, batch: ChangeBatch, now: datetime) -> set[RunId]:
        """Take pushed changes; returns the runs whose row was patched. Sets `is_dirty` when rows may have moved."""
        patched: set[RunId] = set()
        for change in batch.changes:
            if change.kind is ChangeKind.GONE or change.run is None:
                self._remove(change.id)
            elif self._patch(change.run, now, is_new=change.kind is ChangeKind.ADDED):
                patched.add(change.id)
        while len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return patched

    def _patch(self, run: FlowRun, now: datetime, *, is_new: bool) -> bool:
        old = self.get(run.id)
        newest = self._newest(run)
        self._heard[run.id] = newest
        if old is None:
            is_young = is_new or (run.created is not None and now - run.created < YOUNG)
            is_last = self._offset + len(self._rows) >= self.total
            has_come = is_young or is_among(newest, self._rows, self.query, is_first=self._offset == 0, is_last=is_last)
            if is_volatile(self.query) or (has_come and matches(newest, self.query, now)):
                self._spoil()
            return False
        if newest == old or not is_newer(newest, old):
            return False
        place = self._places.get(run.id)
        is_in = matches(newest, self.query, now)
        if place is not None:
            self._rows[place] = newest
            # a row of the filter before, or one that had left, stands there though no page under way may have it
            stays = is_in and matches(old, self.query, now)
            if not stays or sort_value(newest, self.query) != sort_value(old, self.query):
                self._spoil()
        if self._guest and self._guest.run.id == run.id:
            self._guest = Guest(self._guest.index, newest)
            if is_in:
                self._spoil()
        return True

    def _spoil(self) -> None:
        """Rows may have moved: the window must be read anew, and a page on its way may be too old already."""
        self.is_dirty = self._is_overtaken = True

    def _remove(self, run_id: RunId) -> None:
        """Take a run that is gone out of the window, and let the cursor fall on what follows it."""
        self._heard[run_id] = None
        self._spoil()
        was_selected = run_id == self.selected
        if self._guest and self._guest.run.id == run_id:
            self._guest = None
        place = self._places.get(run_id)
        if place is not None:
            index = self._offset + place
            del self._rows[place]
            self.total = max(self.total - 1, 0)
            if self._guest and index < self._guest.index:
                self._guest = Guest(self._guest.index - 1, self._guest.run)
            if index < self.cursor:
                self.cursor -= 1
            self._places = {row.id: each for each, row in enumerate(self._rows)}
        if was_selected:
            self._seat(None)


def is_among(run: FlowRun, rows: Sequence[FlowRun], query: RunQuery, *, is_first: bool, is_last: bool) -> bool:
    """True when the order puts a run between those rows, so that one that is not there has come from elsewhere.

    `is_first` and `is_last` tell which ends of the list are among them.
    """
    if not rows:
        return True
    first, value, last = (sort_value(each, query) for each in (rows[0], run, rows[-1]))
    if query.sort.descending:
        first, last, is_first, is_last = last, first, is_last, is_first
    try:
        return (is_first or first < value) and (is_last or value < last)  # type: ignore[operator]
    except TypeError:  # a run without a start time
        return False


def sort_value(run: FlowRun, query: RunQuery) -> object:
    """Return what decides a row's place in this order; equal values mean that it stays where it is."""
    match query.sort.key:
        case SortKey.START:
            return run.scheduled_start_time
        case SortKey.UPDATED:
            return run.updated
        case SortKey.CREATED:
            return run.created
        case SortKey.STATE:
            return (run.state, run.scheduled_start_time)
        case SortKey.FLOW:
            return run.flow_name
        case SortKey.NAME:
            return run.name
        case SortKey.VERSION:
            return run.version
        case SortKey.MESSAGE:
            return run.state_message
        case SortKey.DURATION:
            return (run.start_time, run.end_time)
