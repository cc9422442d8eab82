"""What the first seconds of the dashboard cost, and what is said in them."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowlatch.config import Profile, Target
from flowlatch.errors import Unreachable
from flowlatch.live.session import Session
from flowlatch.ui.launch import settling
from flowlatch.ui.screens import link_text

TARGET = Target(profile=Profile(name="t", url="http://127.0.0.1:1"), token=None, actor="me")


async def refuse(target: Target) -> Any:
    raise Unreachable(f"nobody at {target.profile.url}")


async def test_garbage_is_collected_again_once_the_first_connection_was_tried() -> None:
    gc.disable()
    try:
        with pytest.raises(Unreachable):
            await settling(refuse)(TARGET)
        assert gc.isenabled()
        assert gc.get_freeze_count() > 10_000, "what the start made is left out"
    finally:
        gc.unfreeze()
        gc.enable()


def test_a_first_connection_is_spoken_of_only_when_it_takes_long() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [now]
    session = Session(TARGET, lambda: refuse(TARGET), clock=lambda: moments[-1], zone="UTC")
    assert link_text.band(session, letters_are_keys=True) == ()
    assert 0 < link_text.band_waits_s(session) <= link_text.CALM_S
    moments.append(now + timedelta(seconds=link_text.CALM_S))
    (line,) = link_text.band(session, letters_are_keys=True)
    assert line.plain == "connecting to http://127.0.0.1:1 …"
    assert link_text.band_waits_s(session) == 0
