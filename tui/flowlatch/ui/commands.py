"""Every verb of the command line once: what it is called, what it takes, what it does.

A verb does one of two things: it runs an action of the screen below, exactly as its key would, or it posts a request
that the app answers. So nothing can be done by a command that has no key's checks in front of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.message import Message
from textual.screen import Screen

from flowlatch.looks import LOOKS, look_named, unknown_look
from flowlatch.model.filter import FAMILIES, FIELDS
from flowlatch.model.run import FlowRun, RunId
from flowlatch.ui import messages
from flowlatch.ui.widgets.command_line import Verb, find


@dataclass(frozen=True)
class Deed:
    """What a verb does: an action id, or a request made from its argument and the chosen runs."""

    verb: Verb
    action: str = ""
    """Action id; a binding of the screen or the app with that id is run, or else a method of the screen."""
    request: Callable[[str, Sequence[FlowRun]], Message | None] | None = None
    """Returns None when a run is needed and none is chosen."""


def _named(name: str) -> Callable[[str, Sequence[FlowRun]], Message]:
    return lambda argument, runs: messages.OpenNamed(name)


def _tab(tab: str) -> Callable[[str, Sequence[FlowRun]], Message | None]:
    return lambda argument, runs: messages.OpenRun(runs[0].id, tab) if runs else None


DEEDS = (
    Deed(
        Verb("runs", "List the runs that match a filter", "FILTER", (*(f"{f}:" for f in FIELDS), *FAMILIES)),
        request=lambda argument, runs: messages.ShowRuns(argument),
    ),
    Deed(Verb("flows", "Flows with their versions, parameters and schedules"), request=_named("flows")),
    Deed(Verb("agents", "Agents and when they were last heard of"), request=_named("agents")),
    Deed(Verb("journal", "What was done from here"), request=_named("journal")),
    Deed(Verb("drafts", "What was typed and not sent"), request=_named("drafts")),
    Deed(Verb("connections", "Go to another server"), action="connections"),
    Deed(
        Verb("profile", "Go to the server of this profile", "NAME", needs_argument=True),
        request=lambda argument, runs: messages.SwitchProfile(argument),
    ),
    Deed(
        Verb("open", "Show the run with this id", "ID", needs_argument=True),
        request=lambda argument, runs: messages.OpenRun(RunId(argument.lower())),
    ),
    Deed(Verb("overview", "The chosen run in brief"), request=_tab("overview")),
    Deed(Verb("history", "Every state of the chosen run"), request=_tab("history")),
    Deed(Verb("logs", "Logs of the chosen run"), request=_tab("logs")),
    Deed(Verb("tasks", "Tasks of the chosen run, on the time axis"), request=_tab("tasks")),
    Deed(Verb("params", "Parameters of the chosen run"), request=_tab("params")),
    Deed(Verb("raw", "The chosen run as the server sent it"), request=_tab("raw")),
    Deed(Verb("related", "What made the chosen run, what came of it, its flow"), request=_tab("related")),
    Deed(Verb("new", "Create a run"), action="new_run"),
    Deed(Verb("clone", "Create a run with the parameters of the chosen one"), action="new_from"),
    Deed(Verb("schedule", "Create a run that starts later"), action="schedule"),
    Deed(Verb("edit", "Set another state"), action="edit_state"),
    Deed(Verb("cancel", "Cancel the chosen runs, after a question"), action="cancel"),
    Deed(Verb("retry", "Run the chosen ones again as new runs, after a question"), action="retry"),
    Deed(Verb("undo", "Propose the previous state as a new version"), action="undo"),
    Deed(Verb("delete", "Delete the chosen runs, after a question"), action="delete"),
    Deed(Verb("archive", "Archive the chosen flow, after a question"), action="archive"),
    Deed(Verb("mark-all", "Mark all runs that match the filter"), action="mark_all"),
    Deed(Verb("unmark", "Unmark all runs"), action="unmark_all"),
    Deed(Verb("copy", "Copy id, name, link, JSON, key or command of a run"), action="copy"),
    Deed(Verb("export", "Write what is shown to a file"), action="export"),
    Deed(Verb("screenshot", "Write a picture of this screen to a file"), action="screenshot"),
    Deed(Verb("web", "Open the run's page in a browser"), action="open_web"),
    Deed(Verb("filter", "Type a filter"), action="filter"),
    Deed(Verb("saved", "Saved filters"), action="saved_filters"),
    Deed(Verb("order", "Choose the column to order by"), action="order"),
    Deed(Verb("columns", "Choose the columns"), action="wide"),
    Deed(Verb("faults", "Only runs that failed or are late"), action="faults"),
    Deed(Verb("freeze", "Hold the view still, or let it go"), action="freeze"),
    Deed(Verb("refresh", "Load anew, or try to connect now"), action="refresh"),
    Deed(Verb("times", "Write times as relative, local or UTC"), action="time_style"),
    Deed(Verb("read-only", "Switch writing off; switching it on asks"), action="read_only"),
    Deed(Verb("theme", "Change the colours", "NAME", LOOKS, needs_argument=True)),
    Deed(Verb("help", "The keys of this screen"), action="help"),
    Deed(Verb("back", "Close this screen"), action="back"),
    Deed(Verb("quit", "Leave", aliases=("q",)), action="quit"),
)


def verbs(extra: Mapping[str, str] | None = None) -> list[Verb]:
    """Return the verbs for the command line; `extra` adds some by name and sentence."""
    return [*(deed.verb for deed in DEEDS), *(Verb(name, about) for name, about in (extra or {}).items())]


async def perform(app: App[Any], text: str, extra: Mapping[str, str] | None = None) -> None:
    """Do what was typed on the screen in front; one clear line when it cannot be done."""
    found = find(text, verbs(extra))
    if isinstance(found, str):
        app.notify(found, severity="warning", markup=False)
        return
    verb, argument = found
    deed = next((deed for deed in DEEDS if deed.verb == verb), None)
    if deed is None:
        return
    if verb.name == "theme":
        _set_theme(app, argument)
    elif deed.request is not None:
        _post(app, deed, argument)
    elif not await run_by_id(app, deed.action):
        app.notify(f":{verb.name} cannot be done on this screen now", severity="warning", markup=False)


def _set_theme(app: App[Any], name: str) -> None:
    look = look_named(name)
    if app.no_color:
        app.notify("NO_COLOR is set: no theme has colours", severity="warning", markup=False)
    elif look is not None:
        app.theme = look
    else:
        app.notify(f"theme {unknown_look(name)}", markup=False)


def _post(app: App[Any], deed: Deed, argument: str) -> None:
    runs: Sequence[FlowRun] = getattr(app.screen, "chosen_runs", list)()
    message = deed.request(argument, runs) if deed.request else None
    if message is None:
        app.notify(f":{deed.verb.name} is about a run, and none is chosen here", severity="warning", markup=False)
    else:
        app.screen.post_message(message)


async def run_by_id(app: App[Any], action: str) -> bool:
    """Run the binding with this id, as its key would; without one, the screen's own action. False when neither can."""
    screen: Screen[Any] = app.screen
    for active in screen.active_bindings.values():
        if active.binding.id == action:
            return active.enabled and await app.run_action(active.binding.action, active.node)
    for node in (screen, app):
        if hasattr(node, f"action_{action}"):
            return await app.run_action(action, node)
    return False
