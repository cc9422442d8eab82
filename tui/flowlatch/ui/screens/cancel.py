"""Cancel and delete: verbs of their own, after a question (ux.md rows 52 and 74)."""

from __future__ import annotations

from textual.content import Content

from flowlatch.live.desk import Outcome
from flowlatch.model.state import Category
from flowlatch.ui.screens.question import RunQuestion


class CancelScreen(RunQuestion):
    """Asks the server to stop a run, with its cancel call: that reaches the process, which a state alone does not."""

    title_words = "Cancel?"
    yes_words = "Cancel the run"

    def words(self) -> Content:
        """Return what cancelling does to a run in this state."""
        state = self.base.state
        if state.is_finished:
            return Content("It has finished already: cancelling changes nothing.")
        if state.category is Category.RUNNING:
            return Content("It becomes Cancelling; the runner stops the process and reports Cancelled.")
        return Content("It has not started: it becomes Cancelled at once and will not run.")

    async def act(self) -> Outcome:
        """Cancel, whatever state it has reached: stopping is what was asked for."""
        return await self.desk.cancel(self.base)


class DeleteScreen(RunQuestion):
    """Deletes a run with its states, task runs and logs, unless it has moved on since the question."""

    title_words = "Delete?"
    yes_words = "Delete the run"

    @property
    def is_grave(self) -> bool:
        """A deleted run of a production server cannot be had back."""
        return self.session.profile.production

    def words(self) -> Content:
        """Return what is lost."""
        running = (
            ""
            if self.base.state.is_finished
            else self.named(" The process, if any, is not stopped: {cancel} Cancel does that.")
        )
        return Content(f"The run, its states, its task runs and its logs are gone for good.{running}")

    async def act(self) -> Outcome:
        """Delete, if it is still at the version shown."""
        return await self.desk.delete(self.base)
