"""A command in a real pseudo-terminal: feed keys, look at the screen, collect every byte, resize."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from types import TracebackType
from typing import Any

import pyte
from wcwidth import wcwidth

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "space": " ",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "f6": "\x1b[17~",
    "f7": "\x1b[18~",
    "f8": "\x1b[19~",
    "f9": "\x1b[20~",
    "f10": "\x1b[21~",
}
"""What a terminal sends for a named key; `ctrl+x` is computed, any single character is sent as it is."""


def key_bytes(key: str) -> bytes:
    """Return what a terminal sends for a key as Textual names it."""
    if key in KEYS:
        return KEYS[key].encode()
    if key.startswith("ctrl+") and len(key) == 6:
        return bytes([ord(key[-1].upper()) & 0x1F])
    return key.encode()


ALTERNATE = 1049
KEY_REPORTS = re.compile(rb"\x1b\[[<>=][0-9;]*u")
"""How keys are reported: the emulator would print the end of it."""


class _Screen(pyte.Screen):
    """An emulated screen that has, as terminals do, an alternate one: empty when entered, gone when left."""

    def __init__(self, columns: int, lines: int) -> None:
        self._main: dict[int, Any] | None = None
        super().__init__(columns, lines)

    def set_mode(self, *modes: int, **options: Any) -> None:
        """Set modes; entering the alternate screen keeps the main one aside."""
        super().set_mode(*modes, **options)
        if ALTERNATE in modes and options.get("private") and self._main is None:
            self._main = {number: copy(line) for number, line in self.buffer.items()}
            self.save_cursor()
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        """Reset modes; leaving the alternate screen brings the main one back."""
        super().reset_mode(*modes, **options)
        if ALTERNATE in modes and options.get("private") and self._main is not None:
            self.buffer.clear()
            self.buffer.update(self._main)
            self._main = None
            self.restore_cursor()


def row_text(screen: pyte.Screen, y: int) -> str:
    """Return a row of an emulated screen. Half of a wide character, the other half painted over, is a blank.

    The emulator's own `display` fails on such a half, which is there for as long as a repaint is half read.
    """
    line, shown, x = screen.buffer[y], "", 0
    while x < screen.columns:
        data = line[x].data
        shown += data or " "
        x += 2 if data and wcwidth(data[0]) == 2 else 1
    return shown


class Terminal:
    """A command in a pseudo-terminal of `columns` × `rows`; as a context manager, leaving it ends the command.

    Output is read only while one of the methods waits, so nothing runs in the background.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
        term: str = "xterm-256color",
    ) -> None:
        self.raw = bytearray()
        """Every byte that the command has written."""
        self._screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0
        self._lines: list[str] = []
        self._shown = (-1, 0, 0)
        """Bytes and size that `_lines` were made of."""
        self._fd, slave = pty.openpty()
        self._set_size(columns, rows)
        self.started_at = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: preexec_fn with threads; ours only calls setsid
            self.process = subprocess.Popen(
                list(command),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env={**(os.environ if env is None else env), "TERM": term},
                preexec_fn=partial(os.login_tty, slave),
                pass_fds=(slave,),
            )
        os.close(slave)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_some(self, for_s: float) -> bytes:
        """Wait up to `for_s` for output and return it; empty at the end or when none came."""
        readable, _, _ = select.select([self._fd], [], [], max(for_s, 0))
        if not readable:
            return b""
        try:
            chunk = os.read(self._fd, 65536)
        except OSError as error:
            if error.errno == errno.EIO:
                return b""
            raise
        self.raw += chunk
        return chunk

    def read_for(self, seconds: float) -> bytes:
        """Collect output for `seconds`, whether or not any comes; for measuring what an idle screen writes."""
        ends_at, seen = time.monotonic() + seconds, bytearray()
        while (left := ends_at - time.monotonic()) > 0:
            seen += self.read_some(left)
            if self.process.poll() is not None:
                break
        return bytes(seen)

    def wait_raw(self, marker: bytes, deadline_s: float = 15.0) -> float:
        """Read until `marker` has come since the start and return the seconds since then; no emulation in between."""
        while marker not in self.raw:
            left = self.started_at + deadline_s - time.monotonic()
            if left <= 0 or (not self.read_some(min(left, 0.1)) and self.process.poll() is not None):
                raise AssertionError(f"{marker!r} did not come; the screen shows:\n{self.text}")
        return time.monotonic() - self.started_at

    @property
    def screen(self) -> pyte.Screen:
        """The emulated screen, with all output so far."""
        if self._fed < len(self.raw):
            self._stream.feed(KEY_REPORTS.sub(b"", bytes(self.raw[self._fed :])))
            self._fed = len(self.raw)
        return self._screen

    @property
    def lines(self) -> list[str]:
        """The rows on the screen now."""
        screen = self.screen
        shown = (self._fed, screen.columns, screen.lines)
        if shown != self._shown:
            # milliseconds of work, asked for again and again
            self._lines, self._shown = [row_text(screen, y) for y in range(screen.lines)], shown
        return list(self._lines)

    @property
    def text(self) -> str:
        """The screen now as one text."""
        return "\n".join(line.rstrip() for line in self.lines)

    def wait_for(self, wanted: str | Callable[[str], bool], deadline_s: float = 15.0) -> str:
        """Read until the screen shows `wanted` (a text or a condition on the screen's text) and return the screen."""
        ends_at = time.monotonic() + deadline_s
        while not (wanted in self.text if isinstance(wanted, str) else wanted(self.text)):
            left = ends_at - time.monotonic()
            ended = self.process.poll() is not None
            if left <= 0 or (not self.read_some(min(left, 0.1)) and ended):
                why = f"ended with {self.process.returncode}" if ended else f"not within {deadline_s:g} s"
                raise AssertionError(f"{why}: {wanted!r}; the screen shows:\n{self.text}")
        return self.text

    def press(self, *keys: str) -> None:
        """Send keys by their names, one write each."""
        for key in keys:
            os.write(self._fd, key_bytes(key))

    def write(self, text: str) -> None:
        """Send `text` as typed."""
        os.write(self._fd, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the size as a terminal window does; the kernel sends SIGWINCH."""
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def signal(self, number: int) -> None:
        """Send a signal to the command."""
        self.process.send_signal(number)

    def wait_ended(self, deadline_s: float = 15.0) -> int:
        """Read until the command has ended and return its exit code."""
        ends_at = time.monotonic() + deadline_s
        while self.process.poll() is None:
            if time.monotonic() > ends_at:
                raise AssertionError(f"still running after {deadline_s:g} s; the screen shows:\n{self.text}")
            self.read_some(0.05)
        while self.read_some(0):
            pass
        return self.process.returncode

    def is_restored(self) -> bool:
        """True when the command left the terminal as it found it: main screen, visible cursor, no mouse, echo on."""
        raw = bytes(self.raw)
        pairs = [(b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h"), (b"\x1b[?1000h", b"\x1b[?1000l")]
        modes = all(raw.rfind(off) >= raw.rfind(on) for on, off in pairs)
        return modes and bool(termios.tcgetattr(self._fd)[3] & termios.ECHO)

    def close(self) -> None:
        """End the command if it still runs and close the terminal."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.wait_ended(5)
            except AssertionError:
                self.process.kill()
                self.process.wait()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def flowlatch(*arguments: str) -> list[str]:
    """Return the command line of `flowlatch` under this interpreter."""
    return [sys.executable, "-m", "flowlatch", *arguments]
