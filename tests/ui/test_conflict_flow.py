"""Two parties, one run: the banner, the stale submit, every way on of the conflict screen, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from flowlatch.model.run import RunId
from flowlatch.ui.messages import CopyText, OpenEditState
from flowlatch.ui.screens.compare import CompareScreen
from flowlatch.ui.screens.confirm import ConfirmScreen
from flowlatch.ui.screens.conflict import ConflictScreen
from flowlatch.ui.screens.drafts import DraftsScreen
from flowlatch.ui.screens.edit_state import EditStateScreen
from flowlatch.ui.screens.runs import RunsScreen
from tests.support.dashboard import LARGE, SMALL, Deck, dashboard
from tests.support.server import ServerProcess
from tests.support.waiting import eventually_async
from tests.support.wire import Wire

OTHER = "boss@laptop"


class Scene:
    """A dashboard, a running run at version 2, and somebody else who can change it."""

    def __init__(self, deck: Deck, server: ServerProcess, run_id: str) -> None:
        self.deck = deck
        self.run_id = run_id
        self.wire = server.wire()
        self.other = server.wire(**{"X-Flowlatch-Actor": OTHER})

    async def changes(self, version: int, state: str, message: str | None = None) -> None:
        """Somebody else sets a state."""
        await asyncio.to_thread(self.other.set_state, self.run_id, version, state, message)

    async def states(self) -> list[str]:
        """Return all states the run has had."""
        return await asyncio.to_thread(self.wire.states, self.run_id)

    async def opens_form(self) -> EditStateScreen:
        """Open the edit form on the run as it is."""
        run = await self.deck.app.session.backend.run(RunId(self.run_id))
        self.deck.app.post_message(OpenEditState(run))
        return await self.deck.screen(EditStateScreen)

    async def wants_failed(self, message: str = "stuck on S3") -> EditStateScreen:
        """Open the form and fill it in."""
        form = await self.opens_form()
        await self.deck.press("right", "right", "tab")
        await self.deck.write(message)
        await self.deck.shows("v2 > Running → v3 x Failed", message)
        return form

    async def meets_conflict(self, state: str = "Success", message: str = "looks good") -> ConflictScreen:
        """Fill in the form, let somebody else be first, submit."""
        await self.wants_failed()
        await self.changes(2, state, message)
        await self.deck.shows("!! Changed meanwhile")
        await self.deck.press("ctrl+s")
        return await self.deck.screen(ConflictScreen)


def make_run(wire: Wire) -> str:
    """Make a run that is Running at version 2."""
    run_id = wire.create_run(wire.create_flow(f"conflict-{uuid4()}"), flow_run_name="amber-lynx")
    wire.set_state(run_id, 1, "Running", "Running")
    return run_id


@pytest.fixture
def size() -> tuple[int, int]:
    """The size of the terminal."""
    return SMALL


@pytest.fixture
async def scene(shared_server: ServerProcess, shared_wire: Wire, size: tuple[int, int]) -> AsyncIterator[Scene]:
    """A dashboard on a running run."""
    run_id = await asyncio.to_thread(make_run, shared_wire)
    async with dashboard(shared_server, size=size) as deck:
        yield Scene(deck, shared_server, run_id)


async def test_a_submit_sets_the_state_and_proposes_undo(scene: Scene) -> None:
    await scene.wants_failed()
    await scene.deck.press("ctrl+s")
    await scene.deck.screen(RunsScreen)
    assert await scene.states() == ["Scheduled", "Running", "Failed"]
    await eventually_async(lambda: any("z proposes undo" in toast for toast in scene.deck.toasts))
    assert scene.deck.app.session.drafts.all() == []


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_banner_comes_at_once_and_touches_nothing_typed(scene: Scene) -> None:
    form = await scene.wants_failed()
    await scene.changes(2, "Success", "looks good")
    text = await scene.deck.shows("!! Changed meanwhile: v3 + Success", "by boss@laptop", "based on v2")
    assert "stuck on S3" in text
    assert "Review the conflict…" in text
    assert form.base.version == 2, "the base never changes behind the form"
    assert form.typed.state == "Failed"


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_stale_submit_opens_the_conflict_and_writes_nothing(scene: Scene) -> None:
    await scene.meets_conflict()
    text = await scene.deck.shows(
        "Your edit was based on v2. The server has v3 now: one change, by boss@laptop",
        "BASE v2",
        "THEIRS v3",
        "YOURS (not sent)",
        "nothing was written",
        "boss@laptop decided meanwhile",
        "recolours it as Failed",
    )
    for shown in ("> Running", "+ Success", "x Failed", "looks good", "stuck on S3", "Refresh: take v3"):
        assert shown in text
    assert await scene.states() == ["Scheduled", "Running", "Success"]


@pytest.mark.parametrize("key", ["r", "enter"])
async def test_refresh_sets_the_edit_aside_and_writes_nothing(scene: Scene, key: str) -> None:
    await scene.meets_conflict()
    await scene.deck.press(key)
    await scene.deck.screen(RunsScreen)
    assert await scene.states() == ["Scheduled", "Running", "Success"]
    (draft,) = scene.deck.app.session.drafts.all()
    assert (draft.fields["state"], draft.fields["message"], draft.base_version) == ("Failed", "stuck on S3", 2)
    await scene.deck.press("D")
    await scene.deck.screen(DraftsScreen)
    await scene.deck.shows("Failed on")
    await scene.deck.press("enter")
    form = await scene.deck.screen(EditStateScreen)
    await scene.deck.shows("stuck on S3", "based on v3")
    assert form.typed.state == "Failed"


async def test_keep_editing_moves_the_base_and_sends_nothing(scene: Scene) -> None:
    await scene.meets_conflict()
    await scene.deck.press("e")
    form = await scene.deck.screen(EditStateScreen)
    await scene.deck.shows("based on v3", "stuck on S3", "v3 + Success → v4 x Failed")
    assert await scene.states() == ["Scheduled", "Running", "Success"]
    await scene.deck.press("ctrl+s")
    await scene.deck.screen(RunsScreen)
    assert (await scene.states())[-1] == "Failed"
    assert form.base.version == 3


async def test_back_stays_on_the_old_base_and_conflicts_again(scene: Scene) -> None:
    await scene.meets_conflict()
    await scene.deck.press("escape")
    form = await scene.deck.screen(EditStateScreen)
    assert form.base.version == 2
    await scene.deck.shows("!! Changed meanwhile", "stuck on S3")
    await scene.deck.press("ctrl+s")
    await scene.deck.screen(ConflictScreen)
    assert await scene.states() == ["Scheduled", "Running", "Success"]


async def test_apply_asks_again_with_the_focus_on_no(scene: Scene) -> None:
    await scene.meets_conflict()
    await scene.deck.press("a")
    question = await scene.deck.screen(ConfirmScreen)
    await scene.deck.shows("v3 + Success  →  v4 x Failed", "type amber-lynx to confirm")
    assert question.focused is not None
    assert question.focused.id == "no"
    await scene.deck.press("enter")
    await scene.deck.screen(ConflictScreen)
    assert await scene.states() == ["Scheduled", "Running", "Success"]


async def test_apply_on_a_finished_run_wants_its_name(scene: Scene) -> None:
    await scene.meets_conflict()
    await scene.deck.press("a")
    question = await scene.deck.screen(ConfirmScreen)
    assert question.query_one("#yes").disabled
    await scene.deck.press(*"amber", "minus", *"lynx")
    assert not question.query_one("#yes").disabled
    await scene.deck.press("enter", "enter")
    await scene.deck.screen(RunsScreen)
    assert await scene.states() == ["Scheduled", "Running", "Success", "Failed"]


async def test_apply_on_a_run_that_goes_on_wants_no_name(scene: Scene) -> None:
    await scene.meets_conflict("Running", "retry 2 of 3")
    await scene.deck.press("a")
    question = await scene.deck.screen(ConfirmScreen)
    assert not question.query("#typed")
    await scene.deck.press("tab", "enter")
    await scene.deck.screen(RunsScreen)
    assert (await scene.states())[-1] == "Failed"


async def test_apply_can_conflict_again_and_is_counted(scene: Scene) -> None:
    conflict = await scene.meets_conflict("Running", "retry 2 of 3")
    await scene.deck.press("a")
    await scene.deck.screen(ConfirmScreen)
    await scene.changes(3, "Running", "retry 3 of 3")
    await scene.deck.press("tab", "enter")
    await scene.deck.shows("conflict 2", "THEIRS v4", "retry 3 of 3")
    assert conflict.count == 2
    assert (await scene.states())[-1] == "Running"


async def test_a_move_while_open_updates_in_place_and_disarms_apply(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowlatch.ui.screens.conflict.DISARMED_S", 3600.0)
    conflict = await scene.meets_conflict("Running", "retry 2 of 3")
    await scene.changes(3, "Running", "retry 3 of 3")
    await scene.deck.shows("v4 arrived at", "THEIRS v4", "off for a moment: v4 is new here")
    assert scene.deck.app.screen is conflict, "a refresh never closes or retargets a dialog"
    await scene.deck.press("a")
    await scene.deck.pilot.pause()
    assert scene.deck.app.screen is conflict
    conflict._arm()
    await scene.deck.press("a")
    await scene.deck.screen(ConfirmScreen)


async def test_letters_that_are_no_choice_do_nothing(scene: Scene) -> None:
    conflict = await scene.meets_conflict()
    await scene.deck.press("q", "D", "x", "space", "tab", "z", "n")
    await scene.deck.pilot.pause()
    assert scene.deck.app.screen is conflict
    assert await scene.states() == ["Scheduled", "Running", "Success"]


async def test_compare_and_report(scene: Scene) -> None:
    copied: list[str] = []
    await scene.meets_conflict()
    await scene.deck.press("d")
    await scene.deck.screen(CompareScreen)
    await scene.deck.shows("BASE v2", '"type": "Success"', '≠  "type": "Failed"')
    await scene.deck.press("escape")
    screen = await scene.deck.screen(ConflictScreen)
    original = screen.post_message

    def keep(message: object) -> bool:
        if isinstance(message, CopyText):
            copied.append(message.text)
            return True
        return original(message)  # type: ignore[arg-type]

    screen.post_message = keep  # type: ignore[method-assign]
    await scene.deck.press("y")
    (report,) = copied
    assert "Your edit was based on v2. The server has v3 now" in report
    assert scene.run_id in report


async def test_a_deleted_run_says_so_and_keeps_what_was_typed(scene: Scene) -> None:
    form = await scene.wants_failed()
    await scene.deck.app.session.backend.delete_run(RunId(scene.run_id))
    await scene.deck.shows("This run does not exist any more", "stuck on S3")
    await scene.deck.press("ctrl+s")
    assert scene.deck.app.screen is form
    await scene.deck.press("escape")
    await scene.deck.screen(RunsScreen)
    assert len(scene.deck.app.session.drafts.all()) == 1


async def test_the_same_decision_of_somebody_else_is_no_conflict(scene: Scene) -> None:
    await scene.wants_failed()
    await scene.changes(2, "Failed", "stuck on S3")
    await scene.deck.shows("exactly what you want")
    await scene.deck.press("ctrl+s")
    await scene.deck.screen(RunsScreen)
    assert await scene.states() == ["Scheduled", "Running", "Failed"]
    await eventually_async(lambda: any("nothing to do" in toast for toast in scene.deck.toasts))


async def test_f4_takes_theirs_and_f3_shows_it(scene: Scene) -> None:
    await scene.wants_failed()
    await scene.changes(2, "Success", "looks good")
    await scene.deck.shows("F3 See", "F4 Take it")
    await scene.deck.press("f3")
    await scene.deck.screen(ConflictScreen)
    await scene.deck.press("escape")
    await scene.deck.screen(EditStateScreen)
    await scene.deck.press("f4")
    await scene.deck.screen(RunsScreen)
    assert len(scene.deck.app.session.drafts.all()) == 1
    assert await scene.states() == ["Scheduled", "Running", "Success"]
