"""What became of a create, said plainly: created, or the run that the key made before, with what differs."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from flowlatch.live.create import RunCreated, RunExisted
from flowlatch.live.session import Session
from flowlatch.model.versions import version_label
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.format import clock, exact_age, stamp, state_label
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.screens.form import worded
from flowlatch.ui.widgets.key_line import KeyLine

DIFFERENCES_SHOWN = 8


class CreatedScreen(FlowModal[str]):
    """Ends in `open:ID`, `new_key`, `back` (to the form) or `close`."""

    BINDINGS = [
        worded(keys.OPEN, "Open the run"),
        keys.NEW_KEY,
        worded(keys.CLOSE, "Close"),
    ]
    DEFAULT_CSS = """
    CreatedScreen Static { height: auto; }
    CreatedScreen KeyLine { margin: 1 0 0 0; background: $surface; padding: 0; }
    """

    def __init__(self, session: Session, outcome: RunCreated | RunExisted, flow: str) -> None:
        super().__init__(session)
        self.outcome = outcome
        self._flow = flow

    def body(self) -> ComposeResult:
        """Say it in words, then the keys."""
        yield Static(self.words(), markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Name the box."""
        is_new = isinstance(self.outcome, RunCreated)
        self.query_one("#box").border_title = Content("Created" if is_new else "Existing run: nothing was created")

    def words(self) -> Content:
        """Return what happened."""
        outcome, run, zone, now = self.outcome, self.outcome.run, self.session.local_zone, self.session.now()
        name = f"{one_line(self._flow, 60)} / {one_line(run.name, 60)}" if run else outcome.id
        parts: list[Content | str | tuple[str, str]] = []
        if isinstance(outcome, RunCreated):
            parts += [("created  ", "$state-success bold"), (name, "bold")]
            if outcome.was_resent:
                parts.append("\nan answer was lost; the same request was sent again under its key: one run, this one")
        else:
            parts += [("existing run  ", "$state-late bold"), (name, "bold")]
            if run and run.created:
                parts.append(f"\nfrom {clock(run.created, zone)} ({exact_age(run.created, now)})")
            parts.append("; its key was used before, so nothing was created and nothing changed")
        if run:
            parts.append(f"\n{state_label(run.state, category=run.category)} {version_label(run.version)}")
            if run.scheduled_start_time:
                due = run.scheduled_start_time
                parts.append(
                    f", starts {stamp(due, zone)} ({exact_age(due, now)})" if due > now else ", starts at once"
                )
        if outcome.expires_at:
            until = f"{stamp(outcome.expires_at, zone)} ({exact_age(outcome.expires_at, now)})"
            parts.append((f"\nthe key ends {until} unless it is used again", "$muted"))
        if isinstance(outcome, RunExisted):
            parts.append(self._differences(outcome))
        return Content.assemble(*parts)

    def _differences(self, outcome: RunExisted) -> Content:
        if not outcome.differences:
            return Content("\n\nits inputs are the same as yours")
        parts: list[Content | str | tuple[str, str]] = [
            ("\n\n! it was created with other inputs; yours were not used", "$state-late bold")
        ]
        for difference in outcome.differences[:DIFFERENCES_SHOWN]:
            parts += [
                f"\n  {one_line(difference.name, 40)}",
                ("\n    run   ", "$muted"),
                one_line(difference.theirs, 120),
                ("\n    yours ", "$muted"),
                one_line(difference.mine, 120),
            ]
        if len(outcome.differences) > DIFFERENCES_SHOWN:
            parts.append(f"\n  … and {len(outcome.differences) - DIFFERENCES_SHOWN} more")
        return Content.assemble(*parts)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a new key only where an old one was met."""
        if action == "new_key":
            return isinstance(self.outcome, RunExisted)
        return super().check_action(action, parameters)

    def action_open_run(self) -> None:
        """Close the form and show the run."""
        self.dismiss(f"open:{self.outcome.id}")

    def action_new_key(self) -> None:
        """Back to the form, with a fresh key."""
        self.dismiss("new_key")

    def action_close(self) -> None:
        """Close the form after a create; back to it after an existing run was met."""
        self.dismiss("close" if isinstance(self.outcome, RunCreated) else "back")
