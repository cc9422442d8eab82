"""A conflict as text: base, theirs and yours in columns, the states in between, the kind of conflict in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from textual.content import Content

from flowlatch.live.edit import Conflict, ConflictKind
from flowlatch.live.parties import is_person, party
from flowlatch.model.state import State, is_finished
from flowlatch.model.versions import version_label
from flowlatch.text import one_line
from flowlatch.ui.format import clock, exact_age, fit, state_label, style_name

LABEL = 9
BETWEEN_SHOWN = 4
Part = Content | str | tuple[str, str]


@dataclass(frozen=True)
class View:
    """What the text depends on besides the conflict."""

    zone: tzinfo
    now: datetime
    me: str
    width: int
    typed_at: datetime
    sent_at: datetime | None
    """When it was sent; None while it was only looked at."""

    def time(self, moment: datetime | None) -> str:
        """Return a time of day with its offset, `-` for None."""
        return clock(moment, self.zone, seconds=True) if moment else "-"


def headline(conflict: Conflict, view: View) -> Content:
    """Return `Your edit was based on v7. The server has v9 now: two changes, both by …`."""
    base, theirs = conflict.base, conflict.theirs
    parts: list[Part] = [
        "Your edit was based on ",
        (version_label(base.version), "bold"),
        ". The server has ",
        (version_label(theirs.version), "bold"),
        " now",
    ]
    if conflict.between and conflict.kind is not ConflictKind.OVERWROTE:
        parts.append(f": {_who(conflict.between, view.me)}")
    return Content.assemble(*parts, ".")


def _who(between: Sequence[State], me: str) -> str:
    """Return `two changes, both by worker ops-2, none by a person`."""
    number = len(between)
    count = {1: "one change", 2: "two changes", 3: "three changes"}.get(number, f"{number} changes")
    actors = list(dict.fromkeys(party(state.actor, me=me) for state in between))
    if actors == ["unknown"]:
        return f"{count}, by whom is not recorded"
    if len(actors) == 1:
        all_by = {1: "by", 2: "both by"}.get(number, "all by")
        people = "" if any(is_person(state.actor) for state in between) else ", none by a person"
        return f"{count}, {all_by} {actors[0]}{people}"
    named = ", ".join(actors[:3]) + (" and others" if len(actors) > 3 else "")
    return f"{count}, by {named}"


def columns(conflict: Conflict, view: View) -> Content:
    """Return the table: label, base, theirs, yours; `≠` where a column differs from the base."""
    base, theirs, draft = conflict.base.state, conflict.theirs, conflict.draft
    is_roomy = view.width >= 100
    yours_head = "YOURS (written)" if conflict.is_written else "YOURS (not sent)"
    heads = (
        f"BASE {version_label(base.version)}" + (" (you saw this)" if is_roomy else ""),
        f"THEIRS {version_label(theirs.version)}" + (" (server now)" if is_roomy else ""),
        yours_head,
    )
    rows: list[tuple[str, str, str, str]] = [
        ("state", state_label(base.name), state_label(theirs.name, category=theirs.category), state_label(draft.type)),
        ("message", _text(base.message), _text(theirs.message), _text(draft.message)),
    ]
    if base.start_time or theirs.start_time or draft.start_time:
        times = (base.start_time, theirs.start_time, draft.start_time)
        rows.append(("start", *(view.time(at) for at in times)))  # type: ignore[arg-type]
    if base.result is not None or theirs.result is not None:
        rows.append(("result", _text(base.result), _text(theirs.result), "(kept)"))
    differs = {(row[0], place) for row in rows for place in (2, 3) if row[place] != row[1] and row[place] != "(kept)"}
    rows += [
        ("by", party(base.actor, me=view.me), party(theirs.actor, me=view.me), party(view.me, me=view.me)),
        ("at", view.time(base.timestamp), _theirs_at(theirs, view, is_roomy), _yours_at(view, is_roomy)),
    ]
    cell = (view.width - LABEL) // 3
    parts: list[Part] = [" " * LABEL, *((fit(head, cell), "bold") for head in heads)]
    states = {2: theirs.name, 1: base.name, 3: draft.type}
    for row in rows:
        parts += ["\n", (fit(row[0], LABEL), "$muted")]
        for place in (1, 2, 3):
            mark = " ≠" if (row[0], place) in differs else ""
            text = fit(fit(row[place], cell - 4).rstrip() if mark else row[place], cell - 4 if mark else cell - 1)
            style = f"$state-{style_name(states[place])}" if row[0] == "state" else ""
            parts += [(text, style), (fit(mark, 4) if mark else " ", "$state-late bold")]
    return Content.assemble(*parts)


def _text(value: object) -> str:
    return one_line(value, 300) if value not in (None, "") else "-"


def _theirs_at(theirs: State, view: View, is_roomy: bool) -> str:
    if theirs.timestamp is None:
        return "-"
    age = exact_age(theirs.timestamp, view.now)
    if is_roomy:
        return f"{view.time(theirs.timestamp)}  ({age})"
    return f"{theirs.timestamp.astimezone(view.zone):%H:%M:%S} ({age})"


def _yours_at(view: View, is_roomy: bool) -> str:
    typed = f"{view.typed_at.astimezone(view.zone):%H:%M:%S}"
    if view.sent_at is None:
        return f"typed {typed}"
    sent = f"{view.sent_at.astimezone(view.zone):%H:%M:%S}"
    return f"typed {typed}, sent {sent}" if is_roomy else sent


def between_line(conflict: Conflict, view: View) -> Content:
    """Return the states in between, in order, with the gaps between them; the first ones are left out of many."""
    if not conflict.between:
        return Content.styled("what came in between could not be read", "$muted")
    shown = conflict.between[-BETWEEN_SHOWN:]
    parts: list[Part] = [("Between  ", "$muted")]
    if len(shown) < len(conflict.between):
        parts.append(f"{len(conflict.between) - len(shown)} more …  ")
    before = conflict.base.state.timestamp
    for index, state in enumerate(shown):
        at = f"{state.timestamp.astimezone(view.zone):%H:%M:%S}" if state.timestamp else "-"
        gap = ""
        if before and state.timestamp and len(shown) == len(conflict.between):
            gap = f" (+{_gap((state.timestamp - before).total_seconds())})"
        before = state.timestamp
        parts += [
            "   " if index else "",
            (f"{version_label(state.version)} ", "bold"),
            f"{at}{gap} ",
            Content.styled(one_line(state.name, 30), f"$state-{style_name(state.name, category=state.category)}"),
            f"  {one_line(state.message, 40)}" if state.message and state.message != state.name else "",
        ]
    return Content.assemble(*parts)


def _gap(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )


def kind_words(conflict: Conflict, me: str) -> Content:
    """Return the kind of conflict in one or two sentences."""
    theirs, to = conflict.theirs, one_line(conflict.draft.type, 40)
    now, there = one_line(theirs.name, 40), version_label(theirs.version)
    match conflict.kind:
        case ConflictKind.ALREADY_SO:
            words = f"It is {now} already, with another message: nothing is left to do unless your words matter."
        case ConflictKind.MOVED_ON:
            words = "The run moved on by itself; no person decided anything."
        case ConflictKind.FINISHED:
            words = f"! {_finished(to)}"
        case ConflictKind.DECIDED:
            words = f"! {_decider(conflict, me)} decided meanwhile; applying yours overrides that."
            if theirs.is_finished:
                words += f"\n  {_finished(to)}"
        case ConflictKind.OLDER:
            words = (
                f"! The server is behind what you saw ({there}, not {version_label(conflict.base.version)}): a restored"
                " backup, or another server. Applying is blocked; refresh and look first."
            )
        case ConflictKind.OVERWROTE:
            words = (
                f"! Yours was written, over {there} {now} by {party(theirs.actor, me=me)}: this server does"
                " not lock. Decide which one is right, and set it."
            )
    return Content.styled(words, "$state-late" if words.startswith("!") else "")


def _finished(to: str) -> str:
    makes = "recolours it as" if is_finished(to) else "revives it as"
    return f"This run has finished. Applying yours {makes} {to}."


def _decider(conflict: Conflict, me: str) -> str:
    people = [state.actor for state in conflict.between if is_person(state.actor)]
    return party(people[-1] if people else conflict.theirs.actor, me=me)


def report(conflict: Conflict, view: View, *, title: str, lock: str, count: int) -> str:
    """Return the whole screen as plain text, to paste into a message."""
    wide = View(view.zone, view.now, view.me, 118, view.typed_at, view.sent_at)
    lines = [
        f"{title}   id {conflict.base.run_id}",
        f"conflict {count} · {'written' if conflict.is_written else 'nothing was written'} · {lock}",
        headline(conflict, wide).plain,
        "",
        columns(conflict, wide).plain,
        "",
        between_line(conflict, wide).plain,
        kind_words(conflict, view.me).plain,
    ]
    return "\n".join(line.rstrip() for line in "\n".join(lines).split("\n")) + "\n"
