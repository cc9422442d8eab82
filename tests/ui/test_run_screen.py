"""The screen of one run, on a real server: every tab, every key, live."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from flowlatch.live.detail import Part
from flowlatch.model.run import RunId
from flowlatch.ui.messages import OpenCancel, OpenCreate, OpenEditState, OpenRetry, OpenRun, OpenSchedule, OpenUndo
from flowlatch.ui.screens.help import HelpScreen
from flowlatch.ui.screens.menu import MenuScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.taking import COPIES
from tests.support.dashboard import LARGE, SMALL, Deck, dashboard
from tests.support.hostile import SENDABLE
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

PARAMETERS = {"day": "2026-11-22", "db_password": "canary-x1", "deep": {"list": [1, 2, 3]}}


def _note(asked: list[Any], message: Any) -> bool:
    asked.append(message)
    return True


def _copied(written: list[str]) -> str:
    return next((text for text in written if text.startswith("\x1b]52;c;")), "")


def _is_loaded(screen: RunScreen) -> bool:
    return {Part.RUN, Part.HISTORY, Part.LOGS} <= set(screen.detail.loaded_at)


class Made:
    """A run with some history, and the wire to change it further."""

    def __init__(self, wire: Wire, name: str) -> None:
        self.wire = wire
        flow = wire.create_flow(name, [{"name": each} for each in PARAMETERS])
        self.id = wire.create_run(
            flow,
            parameters=PARAMETERS,
            idempotency_key=f"key-{name}",
            flow_run_name="amber-lynx",
            labels=["prod", "eu"],
        )
        self.other = wire.create_run(flow, flow_run_name="calm-otter")
        wire.set_state(self.id, 1, "Running", "went off")
        wire.set_state(self.id, 2, "Failed", "Timeout calling S3 [/daily]")
        wire.log(self.id, "first line", "second line of the log")
        wire.log(self.id, "it broke", level="ERROR")


@pytest.fixture
def made(shared_wire: Wire, request: pytest.FixtureRequest) -> Made:
    """Make one run in a flow of its own."""
    return Made(shared_wire, f"flow-{abs(hash(request.node.nodeid)) % 10**10}")


@pytest.fixture
def size() -> tuple[int, int]:
    """The size of the terminal."""
    return SMALL


@pytest.fixture
async def deck(shared_server: ServerProcess, made: Made, size: tuple[int, int]) -> AsyncIterator[Deck]:
    """Open the dashboard on that run."""
    async with dashboard(shared_server, size=size) as deck:
        deck.app.screen.post_message(OpenRun(RunId(made.id)))
        await deck.screen(RunScreen)
        await deck.shows("amber-lynx", "v3")
        yield deck


def run_screen(deck: Deck) -> RunScreen:
    """Return the screen in front as what it is."""
    assert isinstance(deck.app.screen, RunScreen)
    return deck.app.screen


async def test_the_overview_says_state_times_who_and_key(deck: Deck, made: Made) -> None:
    text = await deck.shows("x Failed", "Timeout calling S3 [/daily]", "Scheduled", "v1")
    assert "version 3" in text
    assert "expires in 23h" in text
    assert "prod eu" in text or "eu prod" in text
    assert "sched" in text
    assert "took" in text
    assert "created by" in text
    assert "canary" not in text


async def test_brackets_go_through_all_tabs_and_around(deck: Deck) -> None:
    seen = []
    for _ in range(7):
        seen.append(run_screen(deck).tab)
        await deck.press("right_square_bracket")
    assert seen == ["overview", "history", "logs", "tasks", "related", "params", "raw"]
    assert run_screen(deck).tab == "overview"
    await deck.press("left_square_bracket")
    assert run_screen(deck).tab == "raw"


async def test_a_letter_opens_its_tab_and_returns(deck: Deck) -> None:
    for key, tab in (("h", "history"), ("l", "logs"), ("J", "raw")):
        await deck.press(key)
        assert run_screen(deck).tab == tab
        await deck.press(key)
        assert run_screen(deck).tab == "overview"


async def test_the_history_tells_each_state_in_full(deck: Deck) -> None:
    await deck.press("h")
    text = await deck.shows("v3", "v2", "v1", "went off")
    assert text.index("v3") < text.index("v2 ")
    await deck.press("j")
    await deck.shows("> Running   v2")
    await deck.press("slash", *"timeout", "enter")
    await deck.shows("1 of 1")
    await deck.press("escape")
    assert run_screen(deck).tab == "history", "esc closed the search, not the screen"


@pytest.mark.usefixtures("slow_drawing")
async def test_a_move_right_behind_the_key_of_a_tab_counts(deck: Deck) -> None:
    await deck.shows("v1")
    deck.burst("h", "j")
    assert await deck.shows("> Running   v2")


async def test_the_log_follows_and_can_be_searched(deck: Deck, made: Made) -> None:
    await deck.press("l")
    await deck.shows("first line", "it broke", "ERROR", "3 lines")
    await asyncio.to_thread(made.wire.log, made.id, "a fresh line")
    await deck.shows("a fresh line", "4 lines")
    await deck.press("L", "L", "L")
    await deck.hides("first line")
    await deck.shows("ERROR and up")
    await deck.press("L", "W", "g")
    assert await deck.shows("all levels", "wrapped")


async def test_parameters_are_masked_revealed_and_folded(deck: Deck) -> None:
    await deck.press("left_square_bracket", "left_square_bracket")
    await deck.shows('"day": "2026-11-22"', '"db_password": "***"')
    await deck.press("v")
    await deck.shows("canary-x1")
    await deck.press("c")
    assert await deck.shows('"deep": {…}')


async def test_the_raw_run_is_what_the_server_sent_without_secrets(deck: Deck, made: Made) -> None:
    await deck.press("J")
    await deck.shows(f'"id": "{made.id}"', '"version": 3')
    assert "canary" not in deck.text


async def test_it_follows_the_run_and_stays_on_it(deck: Deck, made: Made) -> None:
    await asyncio.to_thread(made.wire.set_state, made.other, 1, "Running", "the other one")
    await asyncio.to_thread(made.wire.set_state, made.id, 3, "Success", "all done")
    text = await deck.shows("v4", "+ Success", "all done")
    assert "amber-lynx" in text
    assert run_screen(deck).run_id == made.id
    await deck.press("h")
    await deck.shows("v4", "v3", "v2", "v1")
    await deck.press("J")
    await deck.shows('"version": 4')


async def test_a_deleted_run_stays_on_the_screen_and_says_so(deck: Deck, made: Made) -> None:
    document = "mutation($input: delete_flow_run_input!) { delete_flow_run(input: $input) { success } }"
    await asyncio.to_thread(made.wire.data, document, {"input": {"flow_run_id": made.id}})
    text = await deck.shows("this run was deleted", "DELETED")
    assert "amber-lynx" in text


ASKED = {
    "e": OpenEditState,
    "m": OpenEditState,
    "x": OpenCancel,
    "R": OpenRetry,
    "N": OpenCreate,
    "n": OpenCreate,
    "s": OpenSchedule,
    "z": OpenUndo,
}


async def test_keys_that_change_something_ask_the_app_for_a_form(
    deck: Deck, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = run_screen(deck)
    for key, kind in ASKED.items():
        asked: list[Any] = []
        with monkeypatch.context() as patched:  # undone before the screen is told to close
            patched.setattr(screen, "post_message", partial(_note, asked))
            await deck.app.run_action(next(b.action for k, b in screen._bindings if k == key), default_namespace=screen)
        found: Any = next(message for message in asked if isinstance(message, kind))
        runs = getattr(found, "runs", None) or [getattr(found, "run", None) or getattr(found, "source", None)]
        assert [run and run.id for run in runs] == [None if key == "n" else made.id], key


async def test_the_time_key_writes_utc_everywhere(deck: Deck) -> None:
    await deck.press("T")
    await deck.press("T")
    assert await deck.shows("UTC")


async def test_y_and_a_letter_copy(deck: Deck, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {"i": made.id, "n": "amber-lynx", "c": f"runs show {made.id}", "k": "key-", "j": '"version": 3'}
    written: list[str] = []
    driver = deck.app._driver
    assert driver is not None
    monkeypatch.setattr(driver, "write", written.append)
    for letter, wanted in expected.items():
        written.clear()
        await deck.press("y")
        await deck.screen(MenuScreen)
        await deck.press(letter)
        await eventually_async(partial(_copied, written), what=f"y {letter} to copy")
        text = base64.b64decode(_copied(written)[7:-1]).decode()
        assert wanted in text
        assert "canary" not in text
    assert [toast for toast in deck.toasts if toast.startswith("copied the ")] == [
        f"copied the {COPIES[letter]}" for letter in expected
    ]


async def test_the_link_of_a_server_without_pages_is_off_and_w_says_why(deck: Deck) -> None:
    await deck.press("y")
    await deck.shows("this server has no web pages")
    await deck.press("escape", "w")
    assert await eventually_async(lambda: any("no web pages" in toast for toast in deck.toasts))


@pytest.mark.parametrize(("tab", "name"), [("overview", "run.jsonl"), ("logs", "run.log")])
async def test_e_writes_the_run_or_its_log_to_a_new_file(
    deck: Deck, made: Made, tmp_path: Path, tab: str, name: str
) -> None:
    screen = run_screen(deck)
    screen.show_tab(tab)
    await eventually_async(lambda: tab == "overview" or Part.LOGS in screen.detail.loaded_at)
    await deck.press("E")
    await deck.shows("Write ")
    deck.app.screen.query_one("#file", Input).value = str(tmp_path / name)
    await deck.press("enter")
    await eventually_async(lambda: any(name in toast for toast in deck.toasts))
    text = (tmp_path / name).read_text()
    if tab == "logs":
        assert "second line of the log" in text
    else:
        assert (json.loads(text)["id"], json.loads(text)["version"]) == (made.id, 3)


async def test_the_help_lists_every_binding_of_the_screen_and_of_what_is_focused(deck: Deck) -> None:
    screen = run_screen(deck)
    for tab in ("overview", "logs", "params", "tasks"):
        screen.show_tab(tab)
        await deck.pilot.pause()
        nodes = [screen, *(screen.focused.ancestors_with_self if screen.focused else [])]
        own = {b.id for node in nodes for _, b in getattr(node, "_bindings", ()) if b.id and b.description}
        await deck.press("question_mark")
        help_screen = await deck.screen(HelpScreen)
        words = {entry.word for lines in help_screen.parts.values() for entry in lines}
        expected = {b.description for node in nodes for _, b in getattr(node, "_bindings", ()) if b.id in own}
        assert expected <= words, tab
        await deck.press("escape")
        await deck.screen(RunScreen)


async def test_escape_goes_back_to_the_list(deck: Deck) -> None:
    await deck.press("escape")
    assert await eventually_async(lambda: not isinstance(deck.app.screen, RunScreen))


async def test_what_comes_after_the_screen_was_left_is_dropped(deck: Deck) -> None:
    screen = run_screen(deck)
    await deck.press("escape")
    await eventually_async(lambda: not screen.children, what="the end of its widgets")
    screen.detail.forget()  # tells the screen at once, as an answer does that was on its way
    assert not screen.is_open


async def test_a_run_that_does_not_exist_is_named_as_such(shared_server: ServerProcess) -> None:
    async with dashboard(shared_server) as deck:
        deck.app.screen.post_message(OpenRun(RunId("00000000-0000-4000-8000-000000000000")))
        await deck.screen(RunScreen)
        assert await deck.shows("no flow run has the id")


async def test_what_is_not_read_yet_is_not_said_to_be_none(server: ServerProcess) -> None:
    wire = server.wire()
    wire.create_run(wire.create_flow("etl"), flow_run_name="amber-lynx")
    async with dashboard(server, size=LARGE) as deck:
        await deck.shows("amber-lynx")
        server.pause()
        await deck.press("enter")
        await deck.screen(RunScreen)
        assert "none" not in await deck.shows("other runs of this flow", "loading …")
        server.resume()
        await deck.shows("none")


class TestWide:
    """At 120 columns the log stands beside everything but the tasks."""

    @pytest.fixture
    def size(self) -> tuple[int, int]:
        return LARGE

    async def test_the_log_stands_on_the_right_and_other_runs_below(self, deck: Deck) -> None:
        text = await deck.shows("it broke", "x Failed", "other runs of this flow", "calm-otter")
        facts = text[text.index("times") : text.index("other runs")]
        assert "end " in facts, "no part of a fact is cut away"
        assert "flow version" in facts
        assert "esc Back" in text
        await deck.press("l")
        await deck.hides("other runs")
        await deck.press("l", "right_square_bracket", "right_square_bracket", "right_square_bracket")
        await deck.hides("it broke")
        assert run_screen(deck).tab == "tasks"


def make_hostile(wire: Wire, number: int, texts: list[str]) -> str:
    """Make a run that shows these texts everywhere: names, labels, keys, values, states, logs."""
    together = " ".join(text[:60] for text in texts)
    flow = wire.create_flow(f"{number} {together}"[:200], [{"name": "a"}])
    run_id = wire.create_run(
        flow,
        parameters={**{text[:100]: text[:10_000] for text in texts}, "a": [text[:10_000] for text in texts]},
        flow_run_name=together[:1000],
        labels=[text[:50] for text in texts],
    )
    for version, text in enumerate(texts, start=1):
        wire.set_state(run_id, version, "Failed", text)
    wire.log(run_id, *(text[:10_000] for text in texts))
    return run_id


async def test_hostile_text_is_shown_as_text_in_every_tab(shared_server: ServerProcess, shared_wire: Wire) -> None:
    texts = list(SENDABLE.values())
    async with dashboard(shared_server, size=LARGE) as deck:
        for begin in range(0, len(texts), 16):
            some = texts[begin : begin + 16]
            run_id = await asyncio.to_thread(make_hostile, shared_wire, begin, some)
            deck.app.screen.post_message(OpenRun(RunId(run_id)))
            screen = await deck.screen(RunScreen)
            await eventually_async(partial(_is_loaded, screen))
            for tab in ("history", "logs", "params", "raw", "overview"):
                screen.show_tab(tab)
                await deck.pilot.pause()
                for strip in screen._compositor.render_strips():
                    shown = "".join(segment.text for segment in strip)
                    assert strip.cell_length == 120, (begin, tab, shown)
                    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown), (begin, tab)
                    assert all("@click" not in (segment.style.meta if segment.style else {}) for segment in strip)
            await deck.press("escape")
