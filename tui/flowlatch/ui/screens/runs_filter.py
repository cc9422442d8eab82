"""The list of runs, finding: filter text, state tabs, order, saved filters."""

from __future__ import annotations

from dataclasses import replace

from textual import work
from textual.timer import Timer

from flowlatch.config import places
from flowlatch.errors import BadInput
from flowlatch.model.filter import Parsed, format_filter, with_states
from flowlatch.model.query import Sort, SortKey
from flowlatch.ui.screens.menu import Choice, MenuScreen
from flowlatch.ui.screens.runs_base import SORT_WORDS, RunsBase
from flowlatch.ui.screens.text_prompt import TextPrompt
from flowlatch.ui.widgets.filter_bar import FilterBar
from flowlatch.ui.widgets.run_table import RunTable
from flowlatch.ui.widgets.state_tabs import TABS, StateTabs

TYPING_REST_S = 0.3
"""The server is asked once the operator stopped typing for this long."""
FAULTS = "failed,late"
_NEWEST_FIRST = {SortKey.START, SortKey.UPDATED, SortKey.CREATED, SortKey.DURATION, SortKey.VERSION}
_FIRST = {SortKey.DURATION: "longest first", SortKey.VERSION: "highest first"}
SAVE, CLEAR = "save this one", "clear"


class RunsFiltering(RunsBase):
    """Turns what the operator asks for into the list that is shown."""

    _typing: Timer | None = None
    _before_faults: str | None = None

    def set_filter(self, text: str) -> None:
        """Show the runs that match a filter text, and remember it."""
        self.filter_text = text.strip()
        self.parsed = self._parse(self.filter_text)
        self.list.ask(self.parsed.query)
        self.restyle()
        self.show_counts()
        self.keep_view()

    def set_sort(self, sort: Sort) -> None:
        """Order the list."""
        self.view = replace(self.view, sort=sort)
        self.set_filter(self.filter_text)

    # The prompt

    def action_filter(self) -> None:
        """Let the operator type a filter."""
        self.query_one(FilterBar).open()

    def on_filter_bar_typed(self, message: FilterBar.Typed) -> None:
        """Ask once the operator rests; a condition that is still being written waits for enter."""
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_REST_S, lambda: self._try_filter(message.text))

    def _try_filter(self, text: str) -> None:
        last = text.rsplit(maxsplit=1)[-1] if text.strip() else ""
        is_unfinished = ":" in last and not text.endswith(" ")
        parsed = self._parse(text)
        if not is_unfinished and not parsed.problems and self.query_one(FilterBar).is_open:
            self._look_at(parsed)

    def _look_at(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.list.ask(parsed.query)
        self.restyle()

    def on_filter_bar_accepted(self, message: FilterBar.Accepted) -> None:
        """Take the filter; one that cannot be read whole stays open, over the list before it: never over all runs."""
        self._stop_typing()
        parsed = self._parse(message.text)
        if parsed.problems:
            self.query_one(FilterBar).complain(parsed.problems[0])
            self._look_at(self._parse(self.filter_text))  # a pause while typing may have shown something else
            return
        self.table.focus()
        self.set_filter(message.text)

    def on_filter_bar_dropped(self, message: FilterBar.Dropped) -> None:
        """Show the list as it was before the prompt."""
        self._stop_typing()
        self.table.focus()
        self.set_filter(self.filter_text)

    def _stop_typing(self) -> None:
        if self._typing is not None:
            self._typing.stop()
            self._typing = None

    # Tabs and faults

    def action_state_tab(self, number: int) -> None:
        """Show the states of a tab; the rest of the filter stays."""
        if 1 <= number <= len(TABS):
            self.set_filter(with_states(self.filter_text, TABS[number - 1].states))

    def on_state_tabs_chosen(self, message: StateTabs.Chosen) -> None:
        """A click on a tab."""
        self.action_state_tab(message.number)

    def action_faults(self) -> None:
        """Show failed and late runs only; again: as before."""
        faults = with_states(self.filter_text, FAULTS)
        if self.filter_text == faults and self._before_faults is not None:
            self.set_filter(self._before_faults)
            self._before_faults = None
        elif self.filter_text == faults:
            self.set_filter(with_states(self.filter_text, ""))
        else:
            self._before_faults = self.filter_text
            self.set_filter(faults)

    # Order

    @work(group="menu", exclusive=True)
    async def action_order(self) -> None:
        """Choose the column to order by."""
        current = self.parsed.query.sort
        choices = [
            Choice(
                str(key),
                word,
                _FIRST.get(key, "newest first") if key in _NEWEST_FIRST else "a to z",
                letter,
                is_current=key is current.key,
            )
            for (key, word), letter in zip(SORT_WORDS.items(), "sucafnvdm", strict=True)
        ]
        chosen = await self.app.push_screen_wait(
            MenuScreen(self.session, "Order by", choices, note="the same again, or O, turns it around")
        )
        if chosen is not None:
            self.order_by(SortKey(chosen))

    def order_by(self, key: SortKey) -> None:
        """Order by a column, the other way round when it is that already."""
        current = self.parsed.query.sort
        is_same = current.key is key
        self.set_sort(Sort(key=key, descending=not current.descending if is_same else key in _NEWEST_FIRST))

    def action_reverse_order(self) -> None:
        """Turn the order around."""
        self.order_by(self.parsed.query.sort.key)

    def on_run_table_sort_wanted(self, message: RunTable.SortWanted) -> None:
        """A click on a title."""
        self.order_by(message.key)

    # Saved filters

    @work(group="menu", exclusive=True)
    async def action_saved_filters(self) -> None:
        """Choose a saved filter, or save the one shown."""
        filters = self.session.profile.filters
        choices = [
            Choice(f"saved {name}", name, text, str(place) if place < 10 else "", is_current=text == self.filter_text)
            for place, (name, text) in enumerate(filters.items(), start=1)
        ]
        if self.filter_text:
            choices += [
                Choice(SAVE, "save this filter …", self.filter_text, "s"),
                Choice(CLEAR, "show all runs", "", "a"),
            ]
        if not choices:
            choices = [Choice("none", "no filter is saved", "set one with / and save it here", is_enabled=False)]
        chosen = await self.app.push_screen_wait(MenuScreen(self.session, "Saved filters", choices))
        if chosen == SAVE:
            await self._save_filter()
        elif chosen == CLEAR:
            self.set_filter("")
        elif chosen is not None:
            self.set_filter(filters[chosen.removeprefix("saved ")])

    async def _save_filter(self) -> None:
        name = await self.app.push_screen_wait(TextPrompt(self.session, "Name of this filter", self.filter_text))
        if not name:
            return
        from flowlatch.config_edit import save_filter

        profile = self.session.profile
        try:
            save_filter(places().config_file, profile.name, name, self.filter_text)
        except (BadInput, OSError) as error:
            self.notify(f"not saved: {error}", severity="error", markup=False)
            return
        self.session.remember_profile(replace(profile, filters={**profile.filters, name: self.filter_text}))
        self.show_counts()
        self.notify(f"saved as {name}", markup=False)

    def shown_filter(self) -> str:
        """Return the filter as text that means the same later: for commands and exports."""
        return self.filter_text or format_filter(self.parsed.query, zone=self.session.local_zone)
