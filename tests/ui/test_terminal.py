"""A terminal that goes away while much is being drawn: nothing may block or raise (reliability.md §2, SSH drop)."""

from __future__ import annotations

import os

from textual.drivers.headless_driver import HeadlessDriver
from textual.drivers.linux_driver import LinuxDriver

from flowlatch.ui.terminal import TerminalDriver, Vanishing, hardened

MORE_THAN_THE_QUEUE = 100


def test_writes_after_the_reader_went_away_are_dropped() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as raw:
        file = Vanishing(raw)
        assert file.write("seen") == 4
        file.flush()
        assert os.read(reader, 10) == b"seen"
        os.close(reader)
        for _ in range(MORE_THAN_THE_QUEUE):
            assert file.write("nobody reads this") == 17
            file.flush()
        assert file.is_gone
        assert file.fileno() == writer
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writer)  # so that closing the file has somewhere to send what it still holds
        os.close(null)


def test_only_the_driver_of_terminals_is_replaced() -> None:
    assert hardened(LinuxDriver) is TerminalDriver
    assert hardened(HeadlessDriver) is HeadlessDriver
