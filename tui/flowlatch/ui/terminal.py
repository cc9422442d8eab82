"""A terminal that may go away: an SSH session that drops must not leave this program waiting for it for ever.

Textual writes in a thread of its own, through a short queue. When the terminal is gone that thread dies of the first
write, the queue fills, and the next thirty writes block the event loop before any signal is looked at.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from textual import events
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size


class Vanishing:
    """A text file that takes every write, also when nobody is there to read it any more."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.is_gone = False

    def write(self, text: str) -> int:
        """Write text, or drop it once the terminal is gone."""
        try:
            return len(text) if self.is_gone else self._file.write(text)
        except (OSError, ValueError):
            self.is_gone = True
            return len(text)

    def flush(self) -> None:
        """Send what was written."""
        try:
            if not self.is_gone:
                self._file.flush()
        except (OSError, ValueError):
            self.is_gone = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class TerminalDriver(LinuxDriver):
    """Textual's driver for terminals: no write fails or blocks for ever, and the last size told is true."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file = Vanishing(self._file)  # type: ignore[assignment]

    def start_application_mode(self) -> None:
        """Take the terminal over; its size is read in the event loop.

        Read in the signal handler itself, as Textual does, the older of two sizes is told last when the second signal
        comes between reading the first size and telling it: multiplexers send two at once.
        """
        super().start_application_mode()  # type: ignore[no-untyped-call]
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._tell_size)

    def _tell_size(self) -> None:
        if not self._in_band_window_resize:
            size = Size(*self._get_terminal_size())
            self._app.post_message(events.Resize(size, size))


def hardened(kind: type[Driver]) -> type[Driver]:
    """Return the driver to use instead of Textual's choice; only the one for terminals is replaced."""
    return TerminalDriver if kind is LinuxDriver else kind
