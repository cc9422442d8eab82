"""Run it again: a new run with the parameters of the old one, after a question."""

from __future__ import annotations

import json

from textual.content import Content
from textual.widgets import Static

from flowlatch.errors import BackendError
from flowlatch.live.create import RunCreated, RunExisted, new_key, outcome_line, retry_of
from flowlatch.live.desk import Outcome
from flowlatch.live.edit import NotSent, Unknown
from flowlatch.live.session import Session
from flowlatch.model.params import redacted
from flowlatch.model.run import FlowRun
from flowlatch.text import one_line
from flowlatch.ui.messages import OpenRun
from flowlatch.ui.screens.question import RunQuestion
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.words import show_words


class RetryScreen(RunQuestion):
    """The old run stays as it is. The key is fixed when the question opens, so asking twice makes one run."""

    title_words = "Retry?"
    yes_words = "Create a new run"

    def __init__(self, session: Session, run: FlowRun) -> None:
        super().__init__(session, run)
        self.key = new_key(run)
        self.source = run
        self._is_unknown = False

    def words(self) -> Content:
        """Return what will be created."""
        values = self.source.parameters
        shown = "as they were"
        if values is not None:
            shown = one_line(json.dumps(redacted(values), ensure_ascii=False), 300) if values else "none"
        return Content.assemble(
            "A new run of the same flow version starts now; this one stays as it is.",
            ("\nparameters  ", "$muted"),
            shown,
            ("\nlabels      ", "$muted"),
            one_line(", ".join(self.source.labels) or "none", 200),
            ("\nkey         ", "$muted"),
            self.key,
        )

    def on_mount(self) -> None:
        """Read the parameters, which a list row does not have."""
        if self.source.parameters is None:
            begin(self, self._load, group="page", exclusive=True)

    async def _load(self) -> None:
        try:
            self.source = await self.session.backend.run(self.base.run_id)
        except BackendError as error:
            self.say(f"its parameters could not be read: {one_line(error)}")
            return
        show_words(self.query_one("#words", Static), self.words())

    async def act(self) -> Outcome:
        """Create the new run."""
        if self.source.parameters is None:
            await self._load()
        if self.source.parameters is None:
            return NotSent("its parameters could not be read")
        new = retry_of(self.source, key=self.key)
        return await self.desk.create(new, flow=self.source.flow_name, is_fresh_key=True, again=self._is_unknown)

    def deal_with(self, outcome: Outcome) -> None:
        """Show the new run once it exists."""
        self._is_unknown = isinstance(outcome, Unknown)
        if isinstance(outcome, RunCreated | RunExisted):
            self.app.post_message(OpenRun(outcome.id))
            self.done(outcome_line(outcome))
        elif isinstance(outcome, Unknown):
            self.say(f"OUTCOME UNKNOWN: {outcome.reason}. Asking again is safe: it has the same key.")
        else:
            super().deal_with(outcome)
