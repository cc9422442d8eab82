"""Messages between the app and its screens: news of the server, and requests to open something.

News is posted by the app to every screen on its stack. Requests bubble up from a screen or a widget to the app, which
alone knows the screens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.message import Message

from flowlatch.live.link import LinkState, ReloadReason
from flowlatch.model.change import ChangeBatch
from flowlatch.model.run import Flow, FlowRun, RunId

if TYPE_CHECKING:
    from flowlatch.model.schedule import StartTime


class News(Message, bubble=False):
    """Base of what the app tells every screen."""


@dataclass
class LinkChanged(News):
    """The link went on- or offline, or its data got stale or fresh again."""

    link: LinkState

    def can_replace(self, message: Message) -> bool:
        """Only the newest state of the link matters."""
        return isinstance(message, LinkChanged)


@dataclass
class RunsChanged(News):
    """Some runs changed on the server; a burst arrives as one batch, each run once."""

    batch: ChangeBatch


@dataclass
class Reload(News):
    """Load whatever is shown anew."""

    reason: ReloadReason

    def can_replace(self, message: Message) -> bool:
        """One reload is as good as two, but a change of server gives way to nothing else."""
        return isinstance(message, Reload) and self.reason in (message.reason, ReloadReason.MISSED)


class Tick(News):
    """Ten seconds passed, for what counts: running durations, runs that became late. Ages move with the minute only."""

    def __init__(self, *, is_minute: bool = True) -> None:
        super().__init__()
        self.is_minute = is_minute
        """True when the clock on the screen shows another minute, or when nobody looked for a while."""

    def can_replace(self, message: Message) -> bool:
        """Missed ticks are not made up for."""
        return isinstance(message, Tick) and (message.is_minute or not self.is_minute)


class TimesChanged(News):
    """The operator chose another way to write times (`session.time_style`)."""


class AttentionChanged(News):
    """The operator looked away from the window, or looks at it again."""


class WritingChanged(News):
    """Writing was switched on or off, by the operator or by the link."""


class Request(Message):
    """Base of what a screen asks the app to open."""


@dataclass
class OpenRun(Request):
    """Show a run; `tab` is one of overview, history, logs, tasks, params, raw."""

    run_id: RunId
    tab: str = "overview"


@dataclass
class OpenCreate(Request):
    """Open the form for a new run: of a flow, like an old run, or from nothing; at a start time chosen already."""

    flow: Flow | None = None
    source: FlowRun | None = None
    start: StartTime | None = None


@dataclass
class OpenSchedule(Request):
    """Open the form for a run that starts later: of a flow, of the flow of a run, or of one to be chosen there."""

    flow: Flow | None = None
    source: FlowRun | None = None


@dataclass
class OpenEditState(Request):
    """Open the state form; its base is frozen from `run` as it is now."""

    run: FlowRun


@dataclass
class OpenUndo(Request):
    """Propose the state before the present one, as a new version."""

    run: FlowRun


@dataclass
class OpenCancel(Request):
    """Ask whether to cancel a run."""

    run: FlowRun


@dataclass
class OpenRetry(Request):
    """Ask whether to run these again, as new runs with the same parameters."""

    runs: list[FlowRun] = field(default_factory=list)


@dataclass
class OpenBulk(Request):
    """Act on many runs; `verb` is set_state, cancel, retry or delete. The list is frozen here.

    `then` is told at the end which of them it was done with.
    """

    verb: str
    runs: list[FlowRun] = field(default_factory=list)
    then: Callable[[frozenset[RunId] | None], None] | None = None


@dataclass
class OpenNamed(Request):
    """Open a screen by its name: flows, agents, connections, drafts, journal, help, runs."""

    name: str


@dataclass
class ShowRuns(Request):
    """Show the list of runs with this filter text."""

    filter: str


@dataclass
class SwitchProfile(Request):
    """Go to another server; the present one stays until the new one answers."""

    name: str


@dataclass
class CopyText(Request):
    """Put this on the operator's clipboard; `what` names it in the answer ("id", "command")."""

    text: str
    what: str = "text"
