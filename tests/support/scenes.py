"""Every screen of the dashboard, and the keys that lead there from the list of runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from flowlatch.ui.screens.bulk import BulkScreen
from tests.support.hostile import ESCAPES, LOOKALIKES, MARKUP
from tests.support.stage import screen_text
from tests.support.theatre import Stage
from tests.support.waiting import eventually_async

Play = Callable[[Stage], Awaitable[None]]
FAILED = "state:failed since:6h"
NEWEST_FAILED = """{ flow_run(where: {state: {_eq: "Failed"}}, order_by: {scheduled_start_time: desc}, limit: 3)
  { id version } }"""
DELETE = "mutation($id: UUID!) { delete_flow_run(input: {flow_run_id: $id}) { success } }"
WIDE_NAMES = (
    ("日次売上集計", "静かな-狐", "テーブル orders が見つかりません"),
    ("결제-정산", "푸른-호랑이", "데이터베이스 연결이 거부되었습니다"),
    ("отчёт-по-складу", "тихий-барсук", "Все задачи выполнены"),
    ("تقرير-المبيعات", "ثعلب-هادئ", "تم بنجاح"),
    ("rapport-café-naïf", "été-cœur", "Échec: délai dépassé"),
    ("emoji-🚀-deploy", "🦊-👩‍👩‍👧-🇩🇪", "✅ fertig 🎉 … ❌"),
    ("e\u0301te\u0301-combining", "n\u0303andu\u0301", "a\u0308o\u0308u\u0308 all combined"),
    ("ｆｕｌｌｗｉｄｔｈ", "ﾊﾝｶｸ-ｶﾅ", "全角と半角"),
)
"""(flow, run, message) with wide, narrow, combining and right-to-left letters."""


@dataclass(frozen=True)
class Scene:
    """One screen: how to get there, and what it needs."""

    play: Play
    waits_for: str = "Success"
    """Text on the screen before the first key; empty: play at once."""
    is_main: bool = False
    """True for what is drawn in every theme."""
    touches: bool = False
    """True when it changes what the server has, so that the next scene needs another one."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    """What the operator's profile has beside its name and URL."""
    token: str | None = None
    """A token in place of the right one."""
    has_toasts: bool = False
    """True to show what is said in passing; elsewhere it would cover what the picture is of."""
    sizes: tuple[tuple[int, int], ...] = ()
    """The sizes it is drawn at, where those are its own."""


async def as_it_is(stage: Stage) -> None:
    """What is there before any key."""
    await stage.settled()


async def runs(stage: Stage) -> None:
    """The list of runs: two marked, the cursor on one that failed."""
    await stage.press(*"jjjjjjj", "space", "j", "space", *"jjjj")


async def empty(stage: Stage) -> None:
    """The list when nothing matches."""
    await stage.filtered("flow:no-such-flow")


async def failed(stage: Stage) -> None:
    """The list behind a filter."""
    await stage.filtered(FAILED)


def _then(first: Play, *keys: str, screen: str = "") -> Play:
    """Return a play that goes on with keys, until a screen is on top."""

    async def play(stage: Stage) -> None:
        await first(stage)
        await stage.press(*keys)
        if screen:
            await stage.on(screen)

    return play


def _command(text: str, screen: str = "") -> Play:
    """Return a play that types a command."""

    async def play(stage: Stage) -> None:
        await stage.command(text)
        if screen:
            await stage.on(screen)

    return play


run = _then(failed, "enter", screen="RunScreen")


async def completion(stage: Stage) -> None:
    """The filter while it is typed."""
    await stage.press("slash")
    await stage.write("state:s")


async def problems(stage: Stage) -> None:
    """The form for a start time that cannot be read."""
    await _then(failed, "N", screen="CreateScreen")(stage)
    await stage.press("tab", "tab", "tab", "tab", "tab", "right")
    await stage.on("ScheduleScreen")
    await stage.write("03/04")
    await stage.press("ctrl+s")


async def created(stage: Stage) -> None:
    """A run that was made."""
    await _then(failed, "N", screen="CreateScreen")(stage)
    await stage.press("tab")
    await stage.write("second-try")
    await stage.press("ctrl+s")
    await eventually_async(lambda: type(stage.app.screen).__name__ != "CreateScreen", 20, "an answer")
    await stage.settled()


async def schedule(stage: Stage) -> None:
    """The form for a start time."""
    await failed(stage)
    await stage.press("s")
    await stage.on("ScheduleScreen")
    await stage.write("tomorrow 7am")


async def edit(stage: Stage) -> None:
    """The form for another state."""
    await failed(stage)
    await stage.press("e")
    await stage.on("EditStateScreen")
    await stage.press("right", "right", "right", "tab")
    await stage.write("empty delivery, restart later")


async def _colleague_sets(stage: Stage, place: int = 0) -> None:
    found = stage.wire.data(NEWEST_FAILED)["flow_run"][place]
    theirs = (found["id"], found["version"], "Success", "checked by hand, the data is complete")
    await asyncio.to_thread(stage.wire.set_state, *theirs)


async def overtaken(stage: Stage) -> None:
    """The same form, overtaken by a colleague."""
    await edit(stage)
    await _colleague_sets(stage)
    await stage.shows("Changed meanwhile")


conflict = _then(overtaken, "ctrl+s", screen="ConflictScreen")


async def gone(stage: Stage) -> None:
    """The same form, after a colleague deleted the run."""
    await edit(stage)
    found = stage.wire.data(NEWEST_FAILED)["flow_run"][0]
    await asyncio.to_thread(stage.wire.data, DELETE, {"id": found["id"]})
    await stage.shows("does not exist any more")


async def unknown(stage: Stage) -> None:
    """The same form, when the connection ended before the answer came."""
    await edit(stage)
    stage.server.pause()
    await stage.press("ctrl+s")
    await asyncio.to_thread(stage.server.kill)
    await stage.shows("OUTCOME UNKNOWN", "connection refused")


async def drafts(stage: Stage) -> None:
    """What was typed and not sent."""
    await edit(stage)
    await stage.press("escape")
    await stage.on("RunsScreen")
    await stage.press("D")
    await stage.on("DraftsScreen")


async def bulk(stage: Stage) -> None:
    """Runs that are marked, and the question before they are cancelled."""
    await stage.press("space", "space", "space", "space", "x")
    await stage.on("BulkScreen")


async def results(stage: Stage) -> None:
    """What became of each run: a colleague was faster with one of them."""
    await failed(stage)
    await stage.press("space", "space", "space", "e", "right")
    await stage.on("BulkScreen")
    await _colleague_sets(stage, 1)
    await stage.settled()
    await stage.press("ctrl+s")
    await eventually_async(lambda: _is_over(stage), 20, "all results")
    await stage.settled()


def _is_over(stage: Stage) -> bool:
    screen = stage.app.screen
    assert isinstance(screen, BulkScreen)
    return screen.bulk.is_started and not screen.bulk.is_running


async def journal(stage: Stage) -> None:
    """What was done from here."""
    await edit(stage)
    await stage.press("ctrl+s")
    await stage.on("RunsScreen")
    await _command("journal", "JournalScreen")(stage)


async def command(stage: Stage) -> None:
    """The command line with its completion."""
    await stage.press("colon")
    await stage.write("re")


async def offline(stage: Stage) -> None:
    """The list after the server has gone."""
    await asyncio.to_thread(stage.server.stop)
    await stage.shows("OFFLINE", "connection refused")


async def wide(stage: Stage) -> None:
    """Names in letters of all widths."""
    await _made(stage, WIDE_NAMES)


async def hostile(stage: Stage) -> None:
    """Names that would like to be more than names."""
    texts = [*ESCAPES.values(), *LOOKALIKES.values(), *MARKUP.values()]
    texts = [text for text in texts if text.isprintable() or len(text) < 30]
    texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "") for text in texts]
    await _made(stage, [(text, text, text) for text in texts[:18]])


async def _made(stage: Stage, names: Any) -> None:
    """Make runs with these (flow, run, message), the first on top."""
    for place, (flow, name, message) in enumerate(names):
        flow_id = await asyncio.to_thread(stage.wire.create_flow, flow)
        due = f"2030-01-15T13:{58 - place:02d}:00+00:00"
        make = partial(stage.wire.create_run, flow_id, flow_run_name=name, scheduled_start_time=due)
        made = await asyncio.to_thread(make)
        state = ("Running", "Failed", "Success", "Cancelled")[place % 4]
        await asyncio.to_thread(stage.wire.set_state, made, 1, state, message)
    await stage.press("g", "r")
    await stage.shows("in 5")
    await eventually_async(lambda: "Δ" not in screen_text(stage.app), 20, "rows that are not new any more")
    await stage.press("g")


async def loading(stage: Stage) -> None:
    """A run that was opened and is not read yet."""
    await failed(stage)
    stage.server.pause()
    await stage.press("enter")
    await stage.on("RunScreen")


async def toast(stage: Stage) -> None:
    """What is said in passing: a form was closed, and what was typed is kept."""
    await edit(stage)
    with mock.patch.object(stage.app, "NOTIFICATION_TIMEOUT", 600.0):  # it stays until all pictures are drawn
        await stage.press("escape")
        await stage.shows("draft kept")


async def exchanged(stage: Stage) -> None:
    """What opens when the program was exchanged since it started."""
    await stage.press("colon")
    await stage.write("flows")
    with mock.patch.dict(sys.modules, {"flowlatch.ui.screens.flows": None}):
        await stage.press("enter")
        await stage.on("OutOfDateScreen")


async def picker(stage: Stage) -> None:
    """The form for a run, while its flow is chosen."""
    await stage.press("n")
    await stage.on("CreateScreen")
    await stage.write("s")


async def as_json(stage: Stage) -> None:
    """The form for a run, its parameters as JSON."""
    await _then(failed, "N", screen="CreateScreen")(stage)
    await stage.press("tab", "tab", "tab", "right")


async def search(stage: Stage) -> None:
    """A word looked for in a log."""
    await _then(run, "l", "slash")(stage)
    await stage.write("task")
    await stage.press("enter")


async def cancel(stage: Stage) -> None:
    """The question before a run that is running is cancelled."""
    await stage.filtered("state:running")
    await stage.press("x")


async def refused(stage: Stage) -> None:
    """What a key that writes says while nothing may be written."""
    await runs(stage)
    await stage.press("U", "x")


async def frozen(stage: Stage) -> None:
    """The list held still."""
    await runs(stage)
    await stage.press("p")


SCENES: dict[str, Scene] = {
    "runs": Scene(runs, is_main=True),
    "failed": Scene(failed),
    "empty": Scene(empty),
    "filter": Scene(completion),
    "order": Scene(_then(as_it_is, "o", screen="MenuScreen")),
    "saved": Scene(_then(failed, "f", screen="MenuScreen")),
    "columns": Scene(_then(as_it_is, "W", screen="ColumnsScreen")),
    "copy": Scene(_then(failed, "y")),
    "export": Scene(_then(failed, "E")),
    "frozen": Scene(frozen),
    "command": Scene(command),
    "help": Scene(_then(as_it_is, "question_mark", screen="HelpScreen"), is_main=True),
    "run": Scene(run, is_main=True),
    "history": Scene(_then(run, "h")),
    "tasks": Scene(_then(run, "h", "right_square_bracket", "right_square_bracket")),
    "related": Scene(_then(run, "h", *["right_square_bracket"] * 3)),
    "logs": Scene(_then(run, "l")),
    "params": Scene(_then(run, "J", "left_square_bracket")),
    "raw": Scene(_then(run, "J")),
    "new": Scene(_then(failed, "N", screen="CreateScreen")),
    "problems": Scene(problems),
    "created": Scene(created, touches=True),
    "schedule": Scene(schedule),
    "edit": Scene(edit, is_main=True),
    "picker": Scene(picker),
    "json": Scene(as_json),
    "cancel": Scene(cancel),
    "finished": Scene(_then(runs, "U", "k", "k", "k", "k", "x")),
    "delete": Scene(_then(failed, "colon", *"delete", "enter")),
    "grave": Scene(
        _then(failed, "colon", *"delete", "enter"), profile={"production": True, "name": "prod", "read_only": False}
    ),
    "retry": Scene(_then(failed, "R")),
    "bulk": Scene(bulk),
    "count": Scene(_then(failed, "U", "1", "asterisk", "x")),
    "states": Scene(_then(failed, "e", *["right"] * 4, screen="EditStateScreen")),
    "quit": Scene(_then(drafts, "q")),
    "search": Scene(search),
    "flows": Scene(_command("flows", "FlowsScreen")),
    "agents": Scene(_command("agents", "AgentsScreen")),
    "connections": Scene(_then(as_it_is, "C", screen="ConnectionsScreen")),
    "drafts": Scene(drafts),
    "production": Scene(runs, profile={"production": True, "name": "prod"}),
    "read-only": Scene(runs, profile={"read_only": True}),
    "refused": Scene(refused, profile={"read_only": True}),
    "insecure": Scene(runs, profile={"verify": False}),
    "unauthorized": Scene(as_it_is, waits_for="TOKEN REFUSED", token="wrong"),
    "toast": Scene(toast, has_toasts=True, sizes=((80, 24),)),
    "exchanged": Scene(exchanged),
    "too-small": Scene(as_it_is, waits_for="", sizes=((56, 14),)),
    "overtaken": Scene(overtaken, touches=True),
    "conflict": Scene(conflict, is_main=True, touches=True),
    "compare": Scene(_then(conflict, "d"), touches=True),
    "apply": Scene(_then(conflict, "a"), touches=True),
    "gone": Scene(gone, touches=True),
    "unknown": Scene(unknown, touches=True),
    "loading": Scene(loading, touches=True),
    "results": Scene(results, touches=True),
    "journal": Scene(journal, touches=True),
    "wide": Scene(wide, touches=True),
    "hostile": Scene(hostile, touches=True),
    "offline": Scene(offline, touches=True),
    "offline-help": Scene(_then(offline, "question_mark", screen="HelpScreen"), touches=True),
}
"""By name; those that leave the server as it was come first."""
