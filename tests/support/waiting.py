"""Waiting for a condition with a deadline. Nothing else in the tests may wait in small steps."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

DEADLINE_S = 10.0
STEP_S, LONGEST_STEP_S = 0.01, 0.08
STEP_GROWS = 1.3
"""Looking at a screen costs milliseconds of a processor that the other side needs: who waits longer looks less."""


def eventually(condition: Callable[[], T], deadline_s: float = DEADLINE_S, what: str = "") -> T:
    """Return the first true value of `condition`; fail with its last value once `deadline_s` has passed.

    An AssertionError inside `condition` counts as "not yet".
    """
    ends_at, step_s = time.monotonic() + deadline_s, STEP_S
    value: T | None
    while True:
        try:
            value, reason = condition(), ""
        except AssertionError as error:
            value, reason = None, str(error)
        if value:
            return value
        if time.monotonic() > ends_at:
            raise AssertionError(_missed(what, deadline_s, reason or repr(value)))
        time.sleep(step_s)
        step_s = min(step_s * STEP_GROWS, LONGEST_STEP_S)


@overload
async def eventually_async(
    condition: Callable[[], Coroutine[Any, Any, T]], deadline_s: float = DEADLINE_S, what: str = ""
) -> T: ...
@overload
async def eventually_async(condition: Callable[[], T], deadline_s: float = DEADLINE_S, what: str = "") -> T: ...
async def eventually_async(condition: Callable[[], Any], deadline_s: float = DEADLINE_S, what: str = "") -> Any:
    """Do as `eventually`, letting the event loop run between two looks. `condition` may be async."""
    ends_at, step_s = time.monotonic() + deadline_s, STEP_S
    value: Any
    while True:
        try:
            looked = condition()
            value = (await looked) if inspect.isawaitable(looked) else looked
            reason = ""
        except AssertionError as error:
            value, reason = None, str(error)
        if value:
            return value
        if time.monotonic() > ends_at:
            raise AssertionError(_missed(what, deadline_s, reason or repr(value)))
        await asyncio.sleep(step_s)
        step_s = min(step_s * STEP_GROWS, LONGEST_STEP_S)


def _missed(what: str, deadline_s: float, last: str) -> str:
    return f"not within {deadline_s:g} s: {what or 'the condition'}; last seen: {last[:2000]}"
