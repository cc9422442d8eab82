"""Draw every screen from the real application on a seeded real server: `python -m tests.screenshots`.

Writes `screenshots/SCREEN-WIDTHxHEIGHT-THEME.svg` and `.png`. The database is filled from a fixed seed and its clock
stands still in the future (the server's clock is never earlier than the last time stored), so the same code draws the
same picture. `--only WORD` draws the screens whose name contains it, `--to DIR` writes elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import secrets
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from textual.pilot import Pilot

from flowlatch.api.opener import open_backend
from flowlatch.config import Profile, Secret, Settings, Target
from flowlatch.ui.app import FlowlatchApp
from tests.bench.fill import fill
from tests.support.pictures import FontMissing, fonts, png_of, svg_of, text_of
from tests.support.server import ServerProcess
from tests.support.sources import ROOT
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

NOW = datetime(2030, 1, 15, 13, 3, 10, tzinfo=UTC)
ZONE = "Europe/Berlin"
PORT = 4200
"""Shown in the pictures, so it must be free."""
SEED, RUNS = 11, 1200
SIZES = ((80, 24), (120, 40))
THEMES = ("dark", "light")
STEADY_LOOKS = 12
"""Looks in a row, a few hundredths of a second apart, that must show the same."""
COLLEAGUE = {"X-Flowlatch-Actor": "mira@ops-2"}


@dataclass
class Stage:
    """One start of the application, ready to be driven."""

    app: FlowlatchApp
    pilot: Pilot[Any]
    server: ServerProcess
    wire: Wire

    async def shows(self, *wanted: str) -> None:
        """Wait until all of these texts are on the screen."""
        await eventually_async(lambda: all(text in text_of(self.app) for text in wanted), 20, f"{wanted} on the screen")
        await self.settled()

    async def on(self, screen: str) -> None:
        """Wait until the screen of this class is on top."""
        await eventually_async(lambda: type(self.app.screen).__name__ == screen, 20, f"{screen} on top")
        await self.settled()

    async def settled(self) -> None:
        """Wait until the screen has looked the same for `STEADY_LOOKS` looks: what was asked of the server has come."""
        await self.pilot.pause()
        last, same = "", 0

        def is_steady() -> bool:
            nonlocal last, same
            shown = text_of(self.app)
            last, same = shown, same + 1 if shown == last else 0
            return same >= STEADY_LOOKS

        await eventually_async(is_steady, 20, "a screen that stands still")

    async def press(self, *keys: str) -> None:
        """Press keys and let the screen settle."""
        await self.pilot.press(*keys)
        await self.settled()

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.press(*("space" if char == " " else char for char in text))

    async def filtered(self, text: str) -> None:
        """Show only the runs that match a filter."""
        await self.press("slash")
        await self.write(text)
        await self.press("enter")


Shot = Callable[[Stage], Awaitable[None]]


async def runs(stage: Stage) -> None:
    """The list of runs: two marked, the cursor on one that failed."""
    await stage.press(*"jjjjjjj", "space", "j", "space", *"jjjj")


async def failed(stage: Stage) -> None:
    """The list behind a filter."""
    await stage.filtered("state:failed since:6h")


async def run(stage: Stage) -> None:
    """One run: overview."""
    await failed(stage)
    await stage.press("enter")
    await stage.on("RunScreen")


async def history(stage: Stage) -> None:
    """One run: every state."""
    await run(stage)
    await stage.press("h")


async def logs(stage: Stage) -> None:
    """One run: its log."""
    await run(stage)
    await stage.press("l")


async def raw(stage: Stage) -> None:
    """One run: as JSON."""
    await run(stage)
    await stage.press("J")


async def new(stage: Stage) -> None:
    """The form for a new run, with a flow chosen."""
    await failed(stage)
    await stage.press("N")
    await stage.on("CreateScreen")


async def schedule(stage: Stage) -> None:
    """The form for a start time."""
    await failed(stage)
    await stage.press("s")
    await stage.on("ScheduleScreen")
    await stage.write("etl-orders-daily")
    await stage.press("enter", "tab")
    await stage.write("tomorrow 7am")


async def edit(stage: Stage) -> None:
    """The form for another state."""
    await failed(stage)
    await stage.press("e")
    await stage.on("EditStateScreen")
    await stage.press("right", "right", "tab")
    await stage.write("empty delivery, restart later")


async def overtaken(stage: Stage) -> None:
    """The same form, overtaken by a colleague."""
    await edit(stage)
    newest = stage.wire.data(NEWEST_FAILED)["flow_run"][0]
    theirs = (newest["id"], newest["version"], "Success", "checked by hand, the data is complete")
    await asyncio.to_thread(stage.wire.set_state, *theirs)
    await stage.shows("Changed meanwhile")


async def conflict(stage: Stage) -> None:
    """The same form, sent all the same."""
    await overtaken(stage)
    await stage.press("ctrl+s")
    await stage.on("ConflictScreen")


async def tasks(stage: Stage) -> None:
    """One run: its tasks over time."""
    await history(stage)
    await stage.press("right_square_bracket", "right_square_bracket")


async def flows(stage: Stage) -> None:
    """The flows."""
    await stage.press("colon")
    await stage.write("flows")
    await stage.press("enter")
    await stage.on("FlowsScreen")


async def command(stage: Stage) -> None:
    """The command line with its completion."""
    await stage.press("colon")
    await stage.write("re")


async def marked(stage: Stage) -> None:
    """Runs that are marked, and the question before they are cancelled."""
    await stage.press("space", "space", "space", "space", "x")
    await stage.settled()


async def offline(stage: Stage) -> None:
    """The list after the server has gone."""
    await asyncio.to_thread(stage.server.stop)
    await stage.settled()


async def help_(stage: Stage) -> None:
    """The keys of the list."""
    await stage.press("question_mark")
    await stage.on("HelpScreen")


NEWEST_FAILED = """{ flow_run(where: {state: {_eq: "Failed"}}, order_by: {scheduled_start_time: desc}, limit: 1)
  { id version } }"""
SHOTS: dict[str, Shot] = {
    "runs": runs,
    "failed": failed,
    "run": run,
    "history": history,
    "logs": logs,
    "raw": raw,
    "new": new,
    "schedule": schedule,
    "edit": edit,
    "overtaken": overtaken,
    "conflict": conflict,
    "tasks": tasks,
    "flows": flows,
    "command": command,
    "bulk": marked,
    "offline": offline,
    "help": help_,
}


async def draw(name: str, size: tuple[int, int], theme: str, directory: Path) -> str:
    """Start everything, bring one screen up, and return it as SVG."""
    await asyncio.to_thread(partial(fill, directory / "data", RUNS, random.Random(SEED), NOW, ahead=6))
    with ServerProcess(directory, "--no-scheduler").start(port=PORT) as server:
        profile = Profile(name="ops", url=server.url)
        target = Target(profile, Secret(server.token or ""), "you@ops-1")
        settings = Settings(default="ops", profiles={"ops": profile})
        app = FlowlatchApp(
            settings, target, open_backend, theme=theme, clock=lambda: NOW, zone=ZONE, state_dir=directory / "state"
        )
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot, server, server.wire(**COLLEAGUE))
            await stage.shows("Success")
            await SHOTS[name](stage)
            return svg_of(app, "flowlatch")


def main() -> None:
    """Draw what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--only", default="", help="only screens whose file name contains this")
    parser.add_argument("--to", type=Path, default=ROOT / "screenshots", help="directory (screenshots)")
    arguments = parser.parse_args()
    try:
        fonts()
    except FontMissing as error:
        sys.exit(f"cannot draw: {error}")
    arguments.to.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        for theme in THEMES:
            for screen in SHOTS:
                name = f"{screen}-{width}x{height}-{theme}"
                if arguments.only not in name:
                    continue
                with tempfile.TemporaryDirectory(prefix="flowlatch-picture-") as directory:
                    os.environ["FLOWLATCH_HOME"] = directory
                    with mock.patch.object(
                        secrets, "token_hex", lambda size: random.Random(SEED).randbytes(size).hex()
                    ):
                        svg = asyncio.run(draw(screen, (width, height), theme, Path(directory)))
                (arguments.to / f"{name}.svg").write_text(svg, "utf-8")
                (arguments.to / f"{name}.png").write_bytes(png_of(svg))
                print(name)


if __name__ == "__main__":
    main()
