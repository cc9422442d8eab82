"""What every screen with runs on it can do with them beside changing them: copy, export, open, related."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import TypeVar

from textual import work
from textual.content import Content

from flowlatch.live.export import Export, marked_runs, run_document
from flowlatch.live.links import run_link
from flowlatch.live.session import Session
from flowlatch.model.command_line import run_command
from flowlatch.model.run import FlowRun, RunId
from flowlatch.text import clean, one_line
from flowlatch.ui.messages import CopyText, OpenBulk, OpenUndo
from flowlatch.ui.screens.base import FlowScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.export import ExportScreen
from flowlatch.ui.screens.link_text import command_server
from flowlatch.ui.screens.menu import Choice, MenuScreen

T = TypeVar("T")
COPIES = {"i": "id", "n": "name", "l": "link", "j": "JSON", "k": "key", "c": "command"}
NAME_LIMIT = 1_024


class Taking(FlowScreen[T]):
    """Base of the screens with runs on them. Subclasses give `chosen_runs`, and `what_to_export` where that is more."""

    @abstractmethod
    def chosen_runs(self) -> list[FlowRun]:
        """Return the marked runs, else the one under the cursor, as they are known now."""

    def what_to_export(self) -> Export | None:
        """Return what `E` writes; None when there is nothing."""
        runs = self.chosen_runs()
        return marked_runs(runs) if runs else None

    def unmark(self, done: frozenset[RunId] | None) -> None:
        """Unmark what an act on many was done with; only lists have marks."""

    def _first_run(self) -> FlowRun | None:
        runs = self.chosen_runs()
        if not runs:
            self.say_no_run()
        return runs[0] if runs else None

    def say_no_run(self) -> None:
        """Say why there is no run to do this with."""
        is_early = self.session.link.last_data_at is None
        reason = "nothing is loaded yet" if is_early else "no run is selected"
        self.notify(reason, severity="warning", markup=False)

    @work(group="menu", exclusive=True)
    async def action_copy(self) -> None:
        """Ask what of the run to copy, and copy it."""
        run = self._first_run()
        if run is None:
            return
        choices = []
        for letter, word in COPIES.items():
            text, why_not = copied(self.session, run, letter)
            choices.append(Choice(letter, word, note=why_not or _brief(text), letter=letter, is_enabled=not why_not))
        menu = MenuScreen(self.session, f"Copy of {one_line(run.name, 40)}", choices)
        chosen: str | None = await self.app.push_screen_wait(menu)
        if chosen is not None:
            self.post_message(CopyText(copied(self.session, run, chosen)[0], COPIES[chosen]))

    @work(group="menu", exclusive=True)
    async def action_export(self) -> None:
        """Ask for a file and write to it."""
        what = self.what_to_export()
        if what is None:
            self.notify("there is nothing to write", severity="warning", markup=False)
        else:
            await self.app.push_screen_wait(ExportScreen(self.session, what))

    @work(group="menu", exclusive=True)
    async def action_open_web(self) -> None:
        """Open the run's page, once the operator has seen the whole address."""
        run = self._first_run()
        if run is None:
            return
        link = run_link(self.session, run.id)
        if link is None:
            self.notify("this server has no web pages; y c copies the command that shows the run", markup=False)
            return
        question = Content(one_line(link, 2_000))
        if await self.app.push_screen_wait(ConfirmScreen(self.session, "Open in the browser?", question, yes="Open")):
            self.app.open_url(link)

    def action_undo(self) -> None:
        """Propose the state before the present one as a new version."""
        run = self._first_run()
        if run is not None:
            self.post_message(OpenUndo(run))

    def action_delete(self) -> None:
        """Ask whether to delete; reached by `:delete` only."""
        runs = self.chosen_runs()
        if runs:
            self.post_message(OpenBulk("delete", runs, self.unmark))
        else:
            self.notify("no run is selected", severity="warning", markup=False)


def copied(session: Session, run: FlowRun, letter: str) -> tuple[str, str]:
    """Return what a letter of the copy menu copies, and why it cannot when that is so."""
    match letter:
        case "i":
            return one_line(run.id), ""
        case "n":
            return one_line(run.name, NAME_LIMIT), "" if run.name else "it has none"
        case "l":
            link = run_link(session, run.id)
            return link or "", "" if link else "this server has no web pages"
        case "j":
            return json.dumps(run_document(run), ensure_ascii=False, indent=2, default=str), ""
        case "k":
            return clean(run.idempotency_key or "", NAME_LIMIT), "" if run.idempotency_key else "it has none"
        case _:
            return run_command("show", run.id, server=command_server(session)), ""


def _brief(text: str) -> str:
    return one_line(text, 40)
