"""The board: whatever the server does, the operator stands on the same run, and a loaded window tells the truth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowlatch.live.board import Board, sort_value
from flowlatch.model.change import ChangeBatch, ChangeKind, RunChange
from flowlatch.model.match import matches
from flowlatch.model.query import RunPage, RunQuery, Sort, SortKey
from flowlatch.model.run import FlowRun, RunId

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
STATES = ("Scheduled", "Running", "Success", "Failed")
QUERIES = (
    RunQuery(),
    RunQuery(states=("Failed",)),
    RunQuery(not_states=("Success",)),
    RunQuery(text="1"),
    RunQuery(since=NOW - timedelta(hours=2)),
    RunQuery(labels=("a",)),
    RunQuery(name="1"),
)
SORTS = (Sort(), Sort(descending=False), Sort(key=SortKey.STATE), Sort(key=SortKey.NAME), Sort(key=SortKey.VERSION))


@cache
def run_number(number: int) -> FlowRun:
    return FlowRun(
        id=RunId(f"{number:08x}-0000-4000-8000-000000000000"),
        name=f"run-{number}",
        flow_name=f"flow-{number % 3}",
        state="Scheduled",
        version=1,
        scheduled_start_time=NOW - timedelta(minutes=number * 7 % 400),
        created=NOW - timedelta(days=1),
        updated=NOW + timedelta(seconds=1),
    )


class Server:
    """A list of runs as a server keeps it: the model that the board is compared with."""

    def __init__(self, count: int = 0) -> None:
        self.runs = {run.id: run for run in map(run_number, range(count))}
        self.next = count

    def matching(self, query: RunQuery) -> list[FlowRun]:
        found = [run for run in self.runs.values() if matches(run, query, NOW)]
        found.sort(key=lambda run: (sort_value(run, query), run.id), reverse=query.sort.descending)
        return found

    def page(self, query: RunQuery) -> RunPage:
        found = self.matching(query)
        return RunPage(rows=found[query.offset : query.offset + query.limit], offset=query.offset, total=len(found))


def added(run: FlowRun) -> ChangeBatch:
    return ChangeBatch(cursor="", changes=[RunChange(id=run.id, kind=ChangeKind.ADDED, run=run)])


def updated(run: FlowRun) -> ChangeBatch:
    return ChangeBatch(cursor="", changes=[RunChange(id=run.id, kind=ChangeKind.UPDATED, run=run)])


def gone(run_id: RunId) -> ChangeBatch:
    return ChangeBatch(cursor="", changes=[RunChange(id=run_id, kind=ChangeKind.GONE)])


def load(board: Board, server: Server, first: int = 0, last: int = 20) -> None:
    """Ask until nothing is wanted any more."""
    for _ in range(20):
        query = board.wanted(first, last)
        if query is None:
            return
        board.expect()
        board.take(server.page(query), generation=board.generation)
    raise AssertionError("the board never has enough")


def loaded(count: int, query: RunQuery | None = None) -> tuple[Board, Server]:
    board, server = Board(), Server(count)
    board.ask(query or RunQuery(), NOW)
    load(board, server)
    return board, server


class Deck(RuleBasedStateMachine):
    """An operator and a server, both doing as they please."""

    @initialize(count=st.sampled_from((0, 1, 2, 30, 210, 430)), query=st.sampled_from(QUERIES))
    def begin(self, count: int, query: RunQuery) -> None:
        self.server = Server(count)
        self.board = Board()
        self.board.ask(query, NOW)
        self.screen = (0, 20)
        self.expected: RunId | None = None
        self.in_flight: tuple[RunQuery, RunPage, int] | None = None

    def _remember(self) -> None:
        self.expected = self.board.selected

    @rule()
    def server_reads_a_page(self) -> None:
        """The page is made now and arrives later: changes in between must not be lost."""
        query = self.board.wanted(*self.screen)
        if query is not None and self.in_flight is None:
            self.board.expect()
            self.in_flight = (query, self.server.page(query), self.board.generation)

    @rule()
    def page_arrives(self) -> None:
        if self.in_flight is not None:
            _, page, generation = self.in_flight
            self.in_flight = None
            had = self.expected
            self.board.take(page, generation=generation)
            if had is None:
                self._remember()

    @rule()
    def server_adds(self) -> None:
        run = run_number(self.server.next)
        self.server.next += 1
        self.server.runs[run.id] = run
        self.board.apply(added(run), NOW)

    @precondition(lambda self: self.server.runs)
    @rule(data=st.data(), state=st.sampled_from(STATES))
    def server_changes(self, data: st.DataObject, state: str) -> None:
        old = self._any_run(data)
        updated_at = NOW + timedelta(seconds=old.version + 1)
        run = replace(old, state=state, version=old.version + 1, updated=updated_at)
        self.server.runs[run.id] = run
        self.board.apply(updated(run), NOW)

    @precondition(lambda self: self.server.runs)
    @rule(data=st.data(), minutes=st.integers(-60, 400), label=st.sampled_from("ab"), name=st.sampled_from("129"))
    def server_edits(self, data: st.DataObject, minutes: int, label: str, name: str) -> None:
        """Another start, other labels or another name: what the operator may change besides the state."""
        old = self._any_run(data)
        edits = ({"scheduled_start_time": NOW - timedelta(minutes=minutes)}, {"labels": [label]}, {"name": name})
        edit: dict[str, Any] = data.draw(st.sampled_from(edits))
        updated_at = NOW + timedelta(seconds=old.version + 1)
        run = replace(old, version=old.version + 1, updated=updated_at, **edit)
        self.server.runs[run.id] = run
        self.board.apply(updated(run), NOW)

    @precondition(lambda self: self.server.runs)
    @rule(data=st.data())
    def old_news_arrives(self, data: st.DataObject) -> None:
        run = self._any_run(data)
        if run.version > 1:
            self.board.apply(updated(replace(run, version=run.version - 1, state="Old")), NOW)

    @precondition(lambda self: self.server.runs)
    @rule(data=st.data())
    def server_deletes(self, data: st.DataObject) -> None:
        run = self._any_run(data)
        del self.server.runs[run.id]
        self.board.apply(gone(run.id), NOW)
        if self.expected == run.id:
            self._remember()

    def _any_run(self, data: st.DataObject) -> FlowRun:
        """Often one that is on the screen, else any."""
        shown = [row for row in self.board.window.rows if row.id in self.server.runs]
        prefers_shown: bool = data.draw(st.booleans())
        pool = shown if shown and prefers_shown else list(self.server.runs.values())
        chosen = pool[data.draw(st.integers(0, len(pool) - 1))]
        return self.server.runs[chosen.id]

    @rule(step=st.sampled_from([-300, -20, -1, 1, 20, 300]))
    def operator_moves(self, step: int) -> None:
        self.board.move_to(self.board.cursor + step)
        self._remember()
        self.screen = (max(self.board.cursor - 10, 0), self.board.cursor + 10)

    @rule(sort=st.sampled_from(SORTS))
    def operator_sorts(self, sort: Sort) -> None:
        self.board.ask(replace(self.board.query, sort=sort), NOW)

    @rule(query=st.sampled_from(QUERIES))
    def operator_filters(self, query: RunQuery) -> None:
        run = self.board.selected_run()
        self.board.ask(replace(query, sort=self.board.query.sort), NOW)
        if run is None or not matches(run, query, NOW):
            self._remember()

    @invariant()
    def selected_run_is_the_same(self) -> None:
        if hasattr(self, "board") and self.expected is not None:
            assert self.board.selected == self.expected

    @invariant()
    def cursor_is_on_the_selected_run(self) -> None:
        if hasattr(self, "board"):
            window = self.board.window
            row = window.row(window.cursor)
            rows_are_of_another_filter = self.board.is_dirty and self.board.selected is None
            if row is not None and not rows_are_of_another_filter:
                assert row.id == self.board.selected
            ids = [each.id for each in window.rows]
            assert len(ids) == len(set(ids))
            assert window.total >= len(window.rows)

    @invariant()
    def clean_window_is_true(self) -> None:
        if not hasattr(self, "board") or self.in_flight is not None:
            return
        board = self.board
        if not board.is_loaded or board.is_dirty:
            return
        found = self.server.matching(board.query)
        rows = [row for row in board.window.rows if row.id != board.window.guest]
        offset = board.window.offset - (board.window.guest is not None and board.cursor < board.window.offset)
        assert board.total == len(found)
        assert rows == found[offset : offset + len(rows)]


TestDeck = Deck.TestCase
TestDeck.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_a_new_run_at_the_top_moves_the_cursor_down_with_its_run() -> None:
    board, server = loaded(300)
    selected = board.selected
    run = replace(run_number(999), scheduled_start_time=NOW + timedelta(hours=1))
    server.runs[run.id] = run
    board.apply(added(run), NOW)
    load(board, server)
    assert (board.selected, board.cursor) == (selected, 1)


def test_a_change_that_keeps_its_place_is_patched_without_asking() -> None:
    board, _ = loaded(300)
    row = board.window.rows[3]
    changed = replace(row, state="Running", version=2, updated=NOW + timedelta(seconds=9))
    assert board.apply(updated(changed), NOW) == {row.id}
    assert board.window.rows[3].state == "Running"
    assert board.wanted(0, 20) is None


def selected_run_leaves(board: Board, server: Server) -> FlowRun:
    """Let the run under the cursor end, so that a list of scheduled runs does not hold it any more."""
    run = board.selected_run()
    assert run is not None
    changed = replace(run, state="Success", version=2, updated=NOW + timedelta(seconds=9))
    server.runs[run.id] = changed
    board.apply(updated(changed), NOW)
    return changed


def test_the_selected_run_that_leaves_the_list_stays_until_the_cursor_moves_on() -> None:
    board, server = loaded(300, RunQuery(states=("Scheduled",)))
    board.move_to(5)
    changed = selected_run_leaves(board, server)
    load(board, server)
    assert board.window.guest == changed.id
    assert board.selected_run() == changed
    assert board.window.total == board.total + 1
    follower = board.window.row(6)
    board.move_to(6)
    assert board.window.guest is None
    assert follower is not None
    assert board.selected == follower.id
    assert board.window.row(board.cursor) == follower


def test_another_order_keeps_the_cursor_on_a_run_that_left_the_list() -> None:
    board, server = loaded(300, RunQuery(states=("Scheduled",)))
    board.move_to(5)
    changed = selected_run_leaves(board, server)
    board.ask(replace(board.query, sort=Sort(descending=False)), NOW)
    load(board, server)
    assert board.selected_run() == changed
    board.ask(replace(board.query, text="1"), NOW)
    load(board, server)
    assert board.selected != changed.id


def test_a_deleted_run_gives_the_cursor_to_what_follows() -> None:
    board, _ = loaded(300)
    board.move_to(5)
    gone_id, follower = board.selected, board.window.row(6)
    assert gone_id is not None
    assert follower is not None
    board.apply(gone(gone_id), NOW)
    assert (board.selected, board.cursor) == (follower.id, 5)


def test_a_page_of_another_question_is_dropped() -> None:
    board, server = loaded(300)
    page, generation = server.page(board.query), board.generation
    board.ask(RunQuery(states=("Failed",)), NOW)
    assert not board.take(page, generation=generation)


def test_a_push_that_overtakes_a_page_is_kept() -> None:
    board, server = loaded(300)
    board.is_dirty = True
    query = board.wanted(0, 20)
    assert query is not None
    page = server.page(query)
    row = page.rows[2]
    newer = replace(row, state="Failed", version=5, updated=NOW + timedelta(seconds=9))
    board.apply(updated(newer), NOW)
    board.take(page, generation=board.generation)
    assert board.get(row.id) == newer


def changed_to(board: Board, server: Server, run: FlowRun, state: str) -> FlowRun:
    changed = replace(run, state=state, version=run.version + 1, updated=NOW + timedelta(seconds=run.version + 1))
    server.runs[run.id] = changed
    board.apply(updated(changed), NOW)
    return changed


def test_a_row_of_the_filter_before_that_enters_the_new_one_is_not_lost_to_a_page_under_way() -> None:
    board, server = loaded(1)
    [run] = board.window.rows
    board.ask(RunQuery(states=("Failed",)), NOW)
    board.expect()
    page = server.page(board.query)
    failed = changed_to(board, server, run, "Failed")
    board.take(page, generation=board.generation)
    load(board, server)
    assert board.window.rows == (failed,)


def test_a_run_from_further_down_that_starts_later_now_appears_at_the_top() -> None:
    board, server = loaded(430)
    run = server.matching(board.query)[300]
    assert board.get(run.id) is None
    sooner = replace(run, scheduled_start_time=NOW + timedelta(hours=1), version=2, updated=NOW + timedelta(seconds=9))
    server.runs[run.id] = sooner
    board.apply(updated(sooner), NOW)
    load(board, server)
    assert board.window.rows[0] == sooner


def test_a_change_further_down_that_stays_there_asks_for_nothing() -> None:
    board, server = loaded(430)
    changed_to(board, server, server.matching(board.query)[300], "Failed")
    assert board.wanted(0, 20) is None


def test_a_row_that_left_and_came_back_is_not_lost_to_a_page_under_way() -> None:
    board, server = loaded(3, RunQuery(states=("Scheduled",)))
    run = changed_to(board, server, board.window.rows[2], "Running")
    board.expect()
    page = server.page(board.query)
    back = changed_to(board, server, run, "Scheduled")
    board.take(page, generation=board.generation)
    load(board, server)
    assert back in board.window.rows
    assert board.total == 3


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_the_end_of_a_long_list_is_one_page_away(count: int) -> None:
    board = Board()
    board.ask(RunQuery(), NOW)
    rows = [run_number(number) for number in range(200)]
    board.take(RunPage(rows=rows, total=count), generation=board.generation)
    board.move_to(count - 1)
    assert board.selected is None
    query = board.wanted(count - 20, count)
    assert query is not None
    assert query.offset <= count - 20
    last = [run_number(number) for number in range(count - 100, count)]
    board.take(RunPage(rows=last, offset=count - 100, total=count), generation=board.generation)
    assert board.selected == last[-1].id


def test_a_list_whose_count_stopped_early_reaches_on_as_one_scrolls() -> None:
    board = Board()
    board.ask(RunQuery(), NOW)
    for offset in (0, 200):
        rows = [run_number(number) for number in range(offset, offset + 200)]
        board.take(RunPage(rows=rows, offset=offset, total=300, total_is_exact=False), generation=board.generation)
    assert board.total == 600
    assert not board.total_is_exact
    rows = [run_number(number) for number in range(400, 410)]
    board.take(RunPage(rows=rows, offset=400), generation=board.generation)
    assert (board.total, board.total_is_exact) == (410, True)


def test_another_database_empties_the_board() -> None:
    board, _ = loaded(10, RunQuery(states=("Scheduled",)))
    board.clear()
    assert board.selected is None
    assert board.window.total == 0
    assert board.query.states == ("Scheduled",)
    assert not board.is_loaded


def test_the_rank_of_the_selected_run_can_be_counted() -> None:
    board, server = loaded(300)
    board.move_to(150)
    query = board.rank_query()
    assert query is not None
    ties = sum(run.scheduled_start_time == board.selected_run().scheduled_start_time for run in server.runs.values())  # type: ignore[union-attr]
    assert 0 <= 150 - len(server.matching(query)) < ties
