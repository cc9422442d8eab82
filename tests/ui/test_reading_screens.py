"""Flows, agents, commands and help, driven by keys on a real server."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from textual.widgets import Input

from flowlatch.live.recall import Recall
from flowlatch.ui.screens.agents import AgentsScreen
from flowlatch.ui.screens.command import CommandScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.create import CreateScreen
from flowlatch.ui.screens.export import ExportScreen
from flowlatch.ui.screens.flows import FlowsScreen, schedule_text
from flowlatch.ui.screens.help import HelpScreen
from flowlatch.ui.screens.run import RunScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

SET_GROUP_SCHEDULE = """mutation($input: set_flow_group_schedule_input!) {
    set_flow_group_schedule(input: $input) { success } }"""
REGISTER = """mutation($input: register_agent_input!) { register_agent(input: $input) { id } }"""


async def command(deck: Deck, text: str) -> None:
    """Type a command and enter it."""
    await deck.press("colon")
    await deck.screen(CommandScreen)
    await deck.write(text)
    await deck.press("enter")
    await eventually_async(lambda: not isinstance(deck.app.screen, CommandScreen))


async def write_to(deck: Deck, path: Path) -> None:
    """Give a file to the export and enter it."""
    deck.app.screen.query_one("#file", Input).value = str(path)
    await deck.press("enter")


async def test_flows_are_listed_searched_and_lead_to_their_runs(server: ServerProcess, wire: Wire) -> None:
    wire.create_flow(
        "etl-orders",
        [{"name": "day", "required": True, "annotation": "date"}, {"name": "api_key", "default": "canary"}],
    )
    report = wire.create_flow("report-eu")
    wire.create_run(report, flow_run_name="blue-yak")
    wire.create_flow("[/daily] \x1b[31m")
    async with dashboard(server) as deck:
        await command(deck, "flows")
        await deck.screen(FlowsScreen)
        text = await deck.shows("etl-orders", "report-eu", "v1", "day*")
        assert "\x1b" not in text
        (line,) = [line for line in text.splitlines() if "report-eu" in line]
        assert not line.rstrip().endswith("…"), "it fits, so nothing is cut"
        assert "[/daily]" in text
        await deck.press("slash", *"etl", "enter")
        await deck.shows("required", "1 of 1", deadline_s=5)
        assert "canary" not in deck.text
        await deck.press("escape", "n")
        await deck.screen(CreateScreen)
        await deck.shows("etl-orders")
        await deck.press("escape")
        await deck.screen(FlowsScreen)
        await deck.press("G", "enter")
        home = await deck.screen(RunsScreen)
        assert "report-eu" in home.filter_text
        await deck.shows("blue-yak")


async def test_archiving_asks_and_is_kept_in_the_journal(server: ServerProcess, wire: Wire) -> None:
    wire.create_flow("etl-orders")
    async with dashboard(server) as deck:
        await command(deck, "flows")
        await deck.shows("etl-orders")
        await deck.press("A")
        await deck.screen(ConfirmScreen)
        await deck.press("enter")
        await deck.screen(FlowsScreen)
        assert wire.data("{ flow { archived } }") == {"flow": [{"archived": False}]}, "enter alone means No"
        await deck.press("A")
        await deck.screen(ConfirmScreen)
        await deck.press("tab", "enter")
        await deck.shows("no flows yet")
        assert wire.data("{ flow { archived } }") == {"flow": [{"archived": True}]}
        entry = deck.app.session.journal.entries()[0]
        assert (entry.action, entry.run, entry.outcome) == ("archive_flow", "etl-orders v1", "applied")


async def test_nothing_is_archived_read_only(server: ServerProcess, wire: Wire) -> None:
    wire.create_flow("etl-orders")
    async with dashboard(server, read_only=True) as deck:
        await command(deck, "flows")
        await deck.shows("etl-orders")
        await deck.press("A")
        await eventually_async(lambda: any("not possible now: read-only" in toast for toast in deck.toasts))
        assert isinstance(deck.app.screen, FlowsScreen)


async def test_the_versions_of_a_flow_are_told_newest_first(server: ServerProcess, wire: Wire) -> None:
    for _ in range(3):
        wire.create_flow("etl-orders")
    async with dashboard(server) as deck:
        await command(deck, "flows")
        text = await deck.shows("1 shown", "versions  v3 (this)")
        (line,) = [line for line in text.splitlines() if "versions " in line]
        assert [word for word in line.split() if word.startswith("v") or word == "archived"] == [
            "versions",
            "v3",
            "v2",
            "archived",
            "v1",
            "archived",
        ]


async def test_a_schedule_of_the_flow_group_is_shown_and_switched(server: ServerProcess, wire: Wire) -> None:
    wire.create_flow("etl-orders")
    (group,) = wire.data("{ flow_group { id } }")["flow_group"]
    clocks = {"flow_group_id": group["id"], "interval_clocks": [{"interval": 900}]}
    wire.data(SET_GROUP_SCHEDULE, {"input": clocks})

    def runs() -> int:
        return len(wire.data("{ flow_run { id } }")["flow_run"])

    async with dashboard(server) as deck:
        await command(deck, "flows")
        await deck.shows("schedule off: every 15 min  (set on the flow group)")
        assert runs() == 0
        for state, made in (("on", 10), ("off", 0)):
            await deck.press("S")
            await deck.screen(ConfirmScreen)
            await deck.press("tab", "enter")
            await deck.shows(f"schedule {state}: every 15 min  (set on the flow group)")
            assert await asyncio.to_thread(runs) == made


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({"clocks": [{"type": "CronClock", "cron": "0 3 * * *"}]}, "cron 0 3 * * *"),
        ({"clocks": [{"interval": 900_000_000}, {"interval": 30_000_000}]}, "every 15 min, every 30 s"),
        ({"clocks": [{"dates": ["a", "b"]}]}, "2 dates"),
        ({"clocks": "odd"}, "custom"),
        ({"clocks": [3, {"interval": True}, {}]}, "custom"),
        ("odd", "custom"),
    ],
)
def test_schedules_are_told_in_short(schedule: object, text: str) -> None:
    assert schedule_text(schedule) == text


async def test_agents_and_their_last_contact(server: ServerProcess, wire: Wire) -> None:
    tenant = wire.data("{ tenant { id } }")["tenant"][0]["id"]
    wire.data(REGISTER, {"input": {"type": "LocalAgent", "name": "ops-2", "labels": ["prod"], "tenant_id": tenant}})
    async with dashboard(server) as deck:
        await command(deck, "agents")
        await deck.screen(AgentsScreen)
        assert await deck.shows("ops-2", "LocalAgent", "prod", "1 shown")


async def test_commands_do_what_they_say_or_say_why_not(server: ServerProcess, wire: Wire, home: Path) -> None:
    run_id = wire.create_run(wire.create_flow("etl-orders"), flow_run_name="amber-lynx")
    async with dashboard(server) as deck:
        await deck.shows("amber-lynx")
        await command(deck, "theme light")
        assert deck.app.theme == "light"
        await command(deck, "theme pink")
        await command(deck, "flwos")
        await command(deck, "archive")
        for wanted in ("theme 'pink' is unknown", "did you mean :flows?", ":archive cannot be done on this screen"):
            assert any(wanted in toast for toast in deck.toasts), (wanted, deck.toasts)
        await command(deck, f"open {run_id.upper()}")
        await deck.screen(RunScreen)
        await deck.shows("amber-lynx")
        await command(deck, "related")
        await eventually_async(lambda: getattr(deck.app.screen, "tab", "") == "related")
        await command(deck, "tasks")
        await eventually_async(lambda: getattr(deck.app.screen, "tab", "") == "tasks")
        await command(deck, "help")
        await deck.screen(HelpScreen)
        await deck.press("escape")
        await command(deck, "runs state:failed")
        assert (await deck.screen(RunsScreen)).filter_text == "state:failed"
        await deck.press("ctrl+p")
        await deck.screen(CommandScreen)
        await deck.press("up", "up")
        assert "help" in deck.text.splitlines()[-1]
        await deck.press("escape")
        await deck.screen(RunsScreen)
    kept = Recall(home / "state" / "commands.txt").lines
    assert kept[-1] == "runs state:failed"
    assert "flwos" not in kept, "a slip is not remembered"


async def test_the_list_is_exported_whole_and_the_screen_as_a_picture(
    server: ServerProcess, wire: Wire, tmp_path: Path
) -> None:
    flow = wire.create_flow("etl-orders")
    made = {wire.create_run(flow) for _ in range(5)}
    async with dashboard(server) as deck:
        await deck.shows("etl-orders")
        await eventually_async(lambda: "5" in deck.text.splitlines()[1])
        await deck.press("E")
        await deck.screen(ExportScreen)
        await write_to(deck, tmp_path / "runs.jsonl")
        await deck.screen(RunsScreen)
        rows = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
        assert {row["id"] for row in rows} == made
        await command(deck, "screenshot")
        await deck.screen(ExportScreen)
        picture = tmp_path / "screen.svg"
        await write_to(deck, picture)
        await deck.screen(RunsScreen)
        assert "etl-orders" in picture.read_text().replace("&#160;", " ")
        assert stat.S_IMODE(picture.stat().st_mode) == 0o600
        await command(deck, "export")
        await deck.screen(ExportScreen)
        await write_to(deck, picture)
        await deck.shows("exists; give another name")
        await deck.press("escape")
        await deck.screen(RunsScreen)


async def test_help_of_each_screen_lists_what_it_binds_and_can_be_searched(server: ServerProcess) -> None:
    async with dashboard(server) as deck:
        for opened, kind in ((None, RunsScreen), ("flows", FlowsScreen), ("agents", AgentsScreen)):
            if opened:
                await command(deck, opened)
            screen = await deck.screen(kind)
            nodes = [screen, *(screen.focused.ancestors_with_self if screen.focused else []), deck.app]
            expected = {b.description for node in nodes for _, b in node._bindings if b.id and b.description}
            await deck.press("question_mark")
            shown = await deck.screen(HelpScreen)
            assert expected <= {entry.word for lines in shown.parts.values() for entry in lines}, kind
            await deck.write("drafts")
            await deck.shows("What you typed and did not send")
            assert "Search in this text" not in deck.text
            await deck.press("escape")
            await deck.screen(kind)


async def test_a_screen_of_flows_reads_again_when_the_link_is_back(server: ServerProcess, wire: Wire) -> None:
    wire.create_flow("etl-orders")
    async with dashboard(server) as deck:
        await command(deck, "flows")
        await deck.shows("etl-orders")
        await asyncio.to_thread(server.kill)
        await deck.shows("OFFLINE", deadline_s=20)
        assert "etl-orders" in deck.text
        await asyncio.to_thread(server.restart)
        await asyncio.to_thread(lambda: server.wire().create_flow("report-eu"))
        await deck.press("ctrl+r")
        await deck.shows("report-eu", deadline_s=20)
