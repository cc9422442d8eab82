"""JSON under a cursor: fold, search, reveal, copy."""

from __future__ import annotations

from textual.pilot import Pilot

from flowlatch.ui.widgets.json_view import JsonView
from flowlatch.ui.widgets.text_pane import TextPane
from tests.support.stage import Stage, screen_text

VALUE = {"day": "2026-11-22", "db_password": "canary", "nested": {"list": [1, 2, 3], "token": "canary"}, "last": None}


def stage() -> Stage:
    return Stage(lambda: TextPane(JsonView(id="json")), JsonView.CopyWanted, JsonView.Masked)


async def shown(pilot: Pilot[None]) -> JsonView:
    view = pilot.app.query_one(JsonView)
    view.focus()
    view.show(VALUE)
    await pilot.pause()
    return view


async def test_secrets_are_masked_until_revealed_and_masked_again() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert "canary" not in screen_text(pilot.app)
        await pilot.press("v")
        assert screen_text(pilot.app).count("canary") == 2
        await pilot.press("v")
        assert "canary" not in screen_text(pilot.app)


async def test_a_masked_value_names_the_key_that_shows_it_now() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert "masked, v shows it" in screen_text(pilot.app)
        pilot.app.set_keymap({"reveal": "f6"})
        pilot.app.query_one(JsonView).show({"token": "canary"})
        await pilot.pause()
        assert "masked, F6 shows it" in screen_text(pilot.app)


async def test_search_never_finds_what_is_masked() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        view = await shown(pilot)
        await pilot.press("slash", *"canary", "enter")
        assert view.hits == []
        assert "no hit" in screen_text(pilot.app)


async def test_a_container_folds_and_unfolds_under_the_cursor() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        view = await shown(pilot)
        await pilot.press("j", "j", "j", "space")
        assert '"nested": {…},  2 keys' in screen_text(pilot.app)
        await pilot.press("enter")
        assert '"list": [' in screen_text(pilot.app)
        await pilot.press("j", "j", "space")
        assert '"list": […],  3 items' in screen_text(pilot.app), "from inside, the one around it"
        assert view.plain(view.cursor).strip().startswith('"list"')


async def test_all_fold_to_the_first_level_and_back() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        view = await shown(pilot)
        whole = view.length
        await pilot.press("c")
        assert view.length == 6
        await pilot.press("c")
        assert view.length == whole


async def test_the_value_under_the_cursor_is_copied_whole_and_never_a_masked_one() -> None:
    app = stage()
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        await pilot.press("j", "Y")
        await pilot.press("j", "Y")
        await pilot.press("j", "Y")
        await pilot.press("v", "Y")
        await pilot.pause()
        first, second, third, fourth = app.heard
        assert first == JsonView.CopyWanted("2026-11-22")
        assert isinstance(second, JsonView.Masked)
        assert isinstance(third, JsonView.Masked), "a container with a masked value inside"
        assert isinstance(fourth, JsonView.CopyWanted)
        assert '"token": "canary"' in fourth.text


async def test_another_value_keeps_what_was_folded_and_where_one_was() -> None:
    async with stage().run_test(size=(80, 24)) as pilot:
        view = await shown(pilot)
        await pilot.press("j", "j", "j", "space")
        view.show({**VALUE, "first": 1, "day": "2026-11-23"})
        await pilot.pause()
        assert '"nested": {…},  2 keys' in screen_text(pilot.app)
        assert view.plain(view.cursor).strip().startswith('"nested"')
