"""What the forms that create a run share: the flow picker, sending once, and what is done with the outcome."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TypeVar

from textual import on

from flowlatch.errors import BackendError
from flowlatch.live.create import RunCreated, RunExisted, new_key
from flowlatch.live.drafts import Draft
from flowlatch.live.edit import Gone, NotSent, Refused, Unknown
from flowlatch.live.session import Session
from flowlatch.model.run import Flow, NewRun, RunId
from flowlatch.text import one_line
from flowlatch.ui.messages import OpenRun
from flowlatch.ui.screens.created import CreatedScreen
from flowlatch.ui.screens.flow_picking import FlowPicking
from flowlatch.ui.screens.form import FormScreen
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.picker import Picker

T = TypeVar("T")


class NewRunForm(FormScreen[T]):
    """Base of the forms that create a run; its flow picker, if any, has the id `flow`."""

    def __init__(self, session: Session, flow: Flow | None, draft: Draft | None = None) -> None:
        super().__init__(session, draft)
        self.flow = flow
        self.picking = FlowPicking(session)

    @abstractmethod
    def take_key(self, key: str) -> None:
        """Take a fresh automatic key."""

    def fresh_key(self) -> str:
        """Return an automatic key that was never used."""
        return new_key()

    @abstractmethod
    async def flow_chosen(self) -> None:
        """Show what depends on the flow."""

    async def load_flows(self) -> None:
        """Offer the flows of the server and show the one that is chosen. Raises `BackendError`."""
        if not self.is_open:
            return
        picker = self.query_one("#flow", Picker)
        await self.picking.load(picker)
        if self.flow is not None and self.is_open:
            picker.pick(self.picking.add(self.flow))

    @on(Picker.Picked, "#flow")
    async def _flow_picked(self, message: Picker.Picked) -> None:
        self.flow = self.picking.get(message.value)
        self.touch()
        await self.flow_chosen()

    @on(Picker.Typed, "#flow")
    def _flow_typed(self, message: Picker.Typed) -> None:
        """Ask the server when the loaded flows hold none of that name."""
        if self.picking.should_search(message.picker):
            begin(self, partial(self._search, message.picker), group="flows", exclusive=True)

    async def _search(self, picker: Picker) -> None:
        try:
            await self.picking.load(picker, picker.text)
        except BackendError as error:
            self.say(f"flows could not be searched: {one_line(error)}", is_bad=True)

    async def send(self, new: NewRun, flow: Flow, *, is_fresh_key: bool) -> None:
        """Create the run; after a lost answer send the same again under its key."""
        if self.is_unknown and not new.idempotency_key:
            self.say("outcome unknown and no key: look in the list first, or choose a key", is_bad=True)
            return
        outcome = await self.desk.create(new, flow=flow.name, is_fresh_key=is_fresh_key, again=self.is_unknown)
        self.is_unknown = isinstance(outcome, Unknown)
        match outcome:
            case RunCreated() | RunExisted():
                self.say("")
                self.app.push_screen(CreatedScreen(self.session, outcome, flow.name), self._answered)
            case Gone():
                self.say("the flow does not exist any more; choose another", is_bad=True)
            case Refused(reason=reason):
                self.say(f"refused: {reason}", is_bad=True)
            case NotSent(reason=reason):
                self.say(f"not sent: {reason}", is_bad=True)
            case Unknown(reason=reason):
                again = (
                    self.named("{submit} asks again under the same key") if new.idempotency_key else "look in the list"
                )
                self.say(f"OUTCOME UNKNOWN ({again}): {reason}", is_bad=True)
                self.is_dirty = True
                self.keep_draft()

    def _answered(self, choice: str | None) -> None:
        """Do what was chosen once the outcome was shown."""
        match (choice or "close").split(":", 1):
            case ["open", run_id]:
                self.app.post_message(OpenRun(RunId(run_id)))
                self.finish()
            case ["new_key"]:
                self.take_key(self.fresh_key())
                self.touch()
            case ["back"]:
                pass
            case _:
                self.finish()
