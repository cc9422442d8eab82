"""The helpers themselves: waiting fails in time, the terminal shows and reports what a command does."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import suppress

import pyte
import pytest

from tests.support.faults import FaultyServer
from tests.support.pty import Terminal, key_bytes, row_text
from tests.support.waiting import eventually, eventually_async


def test_eventually_returns_the_first_true_value() -> None:
    looks = iter([None, 0, "seen"])
    assert eventually(lambda: next(looks)) == "seen"


def test_eventually_fails_with_what_it_saw_last() -> None:
    with pytest.raises(AssertionError, match=r"the door; last seen: \[\]"):
        eventually(list, deadline_s=0.05, what="the door")


async def test_eventually_async_takes_both_kinds_and_repeats_failed_assertions() -> None:
    looks = iter([False, True])

    async def look() -> bool:
        return next(looks)

    assert await eventually_async(look)
    with pytest.raises(AssertionError, match="last seen: 1 == 2"):
        await eventually_async(_never, deadline_s=0.05)


def _never() -> bool:
    raise AssertionError("1 == 2")


def test_a_terminal_shows_takes_keys_and_tells_the_exit_code() -> None:
    script = "import os, sys; print(os.get_terminal_size()); sys.exit(int(input('code? ')))"
    with Terminal([sys.executable, "-c", script], columns=61, rows=17) as terminal:
        terminal.wait_for("columns=61, lines=17")
        terminal.wait_for("code?")
        terminal.press("7", "enter")
        assert terminal.wait_ended() == 7
        assert terminal.is_restored()


def test_a_terminal_left_in_another_mode_is_seen() -> None:
    with Terminal([sys.executable, "-c", "print('\\x1b[?1049h\\x1b[?25l', end='')"]) as terminal:
        assert terminal.wait_ended() == 0
        assert not terminal.is_restored()


def test_resizing_reaches_the_command() -> None:
    script = (
        "import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH]); print('ready', flush=True)\n"
        "while signal.sigwait([signal.SIGWINCH]): print(os.get_terminal_size(), flush=True)"
    )
    with Terminal([sys.executable, "-c", script]) as terminal:
        terminal.wait_for("ready")
        terminal.resize(90, 30)
        terminal.wait_for("columns=90, lines=30")
        terminal.signal(signal.SIGTERM)
        assert terminal.wait_ended() != 0


@pytest.mark.parametrize(
    ("key", "sent"), [("ctrl+c", b"\x03"), ("enter", b"\r"), ("f2", b"\x1bOQ"), ("ü", "ü".encode())]
)
def test_keys_have_the_bytes_of_a_terminal(key: str, sent: bytes) -> None:
    assert key_bytes(key) == sent


def test_half_of_a_wide_character_is_a_blank() -> None:
    screen = pyte.Screen(8, 1)
    stream = pyte.Stream(screen)
    stream.feed("日本ab")
    assert row_text(screen, 0) == screen.display[0] == "日本ab  "
    stream.feed("\x1b[1;1Hx")
    assert row_text(screen, 0) == "x 本ab  "


@pytest.mark.parametrize("steps", range(8))
async def test_a_listener_that_ends_while_somebody_connects_leaves_no_connection(steps: int) -> None:
    with socket.socket() as somebody:
        async with FaultyServer() as listener:
            somebody.connect(("127.0.0.1", listener.port))
            for _ in range(steps):
                await asyncio.sleep(0)
        somebody.setblocking(False)
        with suppress(ConnectionResetError):
            read = asyncio.get_running_loop().sock_recv(somebody, 1)
            assert await asyncio.wait_for(read, 2) == b"", "neither ended nor reset"
    assert not listener.connections
