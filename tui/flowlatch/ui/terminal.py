"""A terminal that may go away or send anything: neither ends in waiting for ever, nor in an error.

Textual writes in a thread of its own, through a short queue. When the terminal is gone that thread dies of the first
write, the queue fills, and the next thirty writes block the event loop before any signal is looked at.

It reads in another one, which ends the program at the first byte that is not UTF-8 and at sequences that only look
like a key of the Kitty protocol: esc and a command typed at once over a slow line are `ESC [ : u`, say.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import selectors
import signal
from typing import Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

POLL_S = 0.1
"""How long an escape may be the beginning of a sequence at most, and how soon reading ends when told to."""
READ_BYTES = 4096
GONE = 128 + signal.SIGHUP
"""The exit code when the terminal is gone, told by a signal or not."""


class Gone(Message):
    """The terminal is gone; after the keys that came before."""


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


class KeyParser(XTermParser):
    """Textual's parser of what a terminal sends, for which nothing is an error."""

    def _parse_extended_key(  # type: ignore[override]  # Textual keeps what it parsed, this asks it
        self, sequence: str
    ) -> list[events.Key] | None:
        """Return the keys of a sequence of the Kitty protocol, None when it is none: it is taken as typed then."""
        try:
            found = super()._parse_extended_key(sequence)
        except (ValueError, OverflowError):
            return None
        return None if any(_is_surrogate(key.character) for key in found or ()) else found

    def parse_mouse_code(self, code: str) -> Message | None:
        """Return the event of a mouse sequence, None when it is none or the terminal told a size of nothing."""
        try:
            return super().parse_mouse_code(code)
        except ZeroDivisionError:
            return None


def _is_surrogate(character: str | None) -> bool:
    return character is not None and "\ud800" <= character <= "\udfff"


class TerminalDriver(LinuxDriver):
    """Textual's driver for terminals: no read fails, no write fails or blocks for ever, the last size told is true."""

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

    def _run_input_thread(self) -> None:
        """Read until told to stop. An error of ours ends the program as any other; a terminal that is gone, too."""
        try:
            if not self._read_keys():
                self._app.post_message(Gone())
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            self._app.call_later(self._app._handle_exception, error)

    def _read_keys(self) -> bool:
        """Tell the app what the terminal sends; True when told to stop, False when the terminal is gone."""
        parser, decoder = KeyParser(), codecs.getincrementaldecoder("utf-8")("replace")
        with selectors.SelectSelector() as selector:  # others know no terminals on some systems
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(POLL_S):
                    try:
                        sent = os.read(self.fileno, READ_BYTES)
                    except OSError:
                        sent = b""
                    if not sent:
                        return False
                    if text := decoder.decode(sent):  # an empty one is the end to the parser
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
        return True


def hardened(kind: type[Driver]) -> type[Driver]:
    """Return the driver to use instead of Textual's choice; only the one for terminals is replaced."""
    return TerminalDriver if kind is LinuxDriver else kind
