"""`:screenshot` writes what is on the screen, from any screen, into a new file of the operator's own."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree

from textual.widgets import Input

from flowlatch.model.run import RunId
from flowlatch.ui.messages import OpenEditState
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.export import ExportScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

HOSTILE = '</text><script>alert("x")</script>&lynx;'


async def asked(deck: Deck, file: Path | str) -> ExportScreen:
    """Give the question about the file a name and answer it."""
    question = await deck.screen(ExportScreen)
    question.query_one("#file", Input).value = str(file)
    await deck.press("enter")
    return question


def words_of(file: Path) -> str:
    """Return the text of a picture, which must be well-formed and hold nothing that acts."""
    tree = ElementTree.fromstring(file.read_text("utf-8"))
    assert tree.tag.endswith("svg")
    assert not [each.tag for each in tree.iter() if each.tag.endswith(("script", "foreignObject", "image", "a"))]
    return " ".join("".join(tree.itertext()).replace("\xa0", " ").split())


async def test_the_list_is_written_as_it_is_seen(
    shared_server: ServerProcess, shared_wire: Wire, tmp_path: Path
) -> None:
    flow = f"shot-{uuid4().hex[:8]}"
    await asyncio.to_thread(lambda: shared_wire.create_run(shared_wire.create_flow(flow), flow_run_name=HOSTILE))
    file = tmp_path / "list.svg"
    async with dashboard(shared_server, size=(120, 40), filter=f"flow:{flow}") as deck:
        await deck.shows(f"{flow} / ")
        await deck.press("colon")
        await deck.write("screenshot")
        await deck.press("enter")
        await asked(deck, file)
        await deck.screen(RunsScreen)
        await eventually_async(lambda: any("wrote a picture" in toast and "list.svg" in toast for toast in deck.toasts))
    words = words_of(file)
    assert flow in words
    assert '</text><script>alert("x")' in words, "a name is text in the picture too"
    assert "Write a picture" not in words, "the question is not on it"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_form_is_pictured_too_and_stays_as_it_was(
    shared_server: ServerProcess, shared_wire: Wire, tmp_path: Path
) -> None:
    run_id = await asyncio.to_thread(lambda: shared_wire.create_run(shared_wire.create_flow(f"shot-{uuid4()}")))
    file = tmp_path / "form.svg"
    async with dashboard(shared_server) as deck:
        deck.app.post_message(OpenEditState(await deck.app.session.backend.run(RunId(run_id))))
        form = await deck.screen(EditStateScreen)
        await deck.press("right", "tab")
        await deck.write("by hand")
        await deck.press("ctrl+p")
        await deck.write("screenshot")
        await deck.press("enter")
        await asked(deck, file)
        await eventually_async(lambda: deck.app.screen is form)
        assert form.typed.message == "by hand"
    assert "by hand" in words_of(file)


async def test_a_name_that_cannot_be_is_said_and_nothing_is_written(
    shared_server: ServerProcess, tmp_path: Path
) -> None:
    there = tmp_path / "there.svg"
    there.write_text("mine")
    async with dashboard(shared_server) as deck:
        await deck.press("colon")
        await deck.write("screenshot")
        await deck.press("enter")
        question = await asked(deck, there)
        await deck.shows("exists; give another name")
        await asked(deck, f"{tmp_path}/no/such/place.svg")
        await deck.shows("No such file or directory")
        await asked(deck, "")
        await deck.shows("a file name is needed")
        assert deck.app.screen is question
        hostile = tmp_path / "red\x1b[31m\u202e.svg"
        await asked(deck, hostile)
        await eventually_async(lambda: any("wrote a picture" in toast for toast in deck.toasts))
        assert not any("\x1b" in toast or "\u202e" in toast for toast in deck.toasts)
    assert there.read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == sorted(["there.svg", hostile.name])
