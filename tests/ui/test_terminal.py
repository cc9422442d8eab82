"""A terminal that goes away, or sends what is no key: nothing may block or raise (reliability.md §2, SSH drop)."""

from __future__ import annotations

import os

import pytest
from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.drivers.linux_driver import LinuxDriver

from flowlatch.ui.terminal import KeyParser, TerminalDriver, Vanishing, hardened

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


def typed(sent: str) -> str:
    """Return the characters of the keys that a terminal's bytes are read as, escape aside."""
    parser = KeyParser()
    read = [*parser.feed(sent), *parser.feed("")]
    return "".join(event.character or "" for event in read if isinstance(event, events.Key)).replace("\x1b", "")


@pytest.mark.parametrize(
    "sent",
    ["[:undo\r", "[1;:u", "[99999999999u", "[65;1;99999999u", "[55296u", "[65;1;55296u"],
    ids=["esc and a command", "no modifier", "no code point", "no text", "surrogate", "surrogate as text"],
)
def test_what_only_looks_like_a_key_is_taken_as_typed(sent: str) -> None:
    assert typed("\x1b" + sent) == sent


def test_keys_of_the_kitty_protocol_are_keys() -> None:
    assert typed("\x1b[97u\x1b[98;1;98u") == "ab"


def test_a_mouse_on_a_terminal_without_a_size_is_nowhere() -> None:
    read = list(KeyParser().feed("\x1b[48;0;0;0;0t\x1b[<0;5;5Mj"))
    assert [event.key for event in read if isinstance(event, events.Key)] == ["j"]
    assert not any(isinstance(event, events.MouseEvent) for event in read)
