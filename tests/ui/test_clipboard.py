"""The clipboard: what is written to the terminal, and the file that stands in."""

from __future__ import annotations

import base64
import re
import stat

import pytest
from textual.app import App

from flowlatch.config import places
from flowlatch.ui import clipboard
from tests.support.hostile import HOSTILE


def decoded(sequence: str) -> str:
    found = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert found, repr(sequence)
    return base64.b64decode(found[1]).decode()


def test_plain_terminals_get_one_osc_52() -> None:
    assert decoded(clipboard.sequence("flowlatch runs show 7c1f", {})) == "flowlatch runs show 7c1f"


def test_tmux_gets_it_plain_and_wrapped() -> None:
    written = clipboard.sequence("ü", {"TMUX": "/tmp/x,1,0"})
    plain, wrapped = written.split("\x1bPtmux;")
    assert decoded(plain) == "ü"
    assert wrapped.endswith("\x1b\\")
    assert decoded(wrapped[:-2].replace("\x1b\x1b", "\x1b")) == "ü"


def test_screen_gets_pieces_that_it_passes_on() -> None:
    text = "x" * 5_000
    written = clipboard.sequence(text, {"TERM": "screen-256color"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", written, re.DOTALL)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == written
    assert max(map(len, pieces)) <= 768
    assert decoded("".join(pieces)) == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_copied_cannot_act_when_it_is_pasted(text: str) -> None:
    safe = clipboard.copyable(text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", safe)
    clipboard.sequence(text)


class Recording(App[object]):
    """An app whose driver only remembers what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self._driver = self  # type: ignore[assignment]

    def write(self, data: str) -> None:
        self.written.append(data)


def test_copying_says_what_was_copied() -> None:
    app = Recording()
    assert clipboard.copy_text(app, "7c1f\n", "id") == "copied the id"
    assert decoded(app.written[0]) == "7c1f"


def test_an_empty_text_is_not_copied() -> None:
    app = Recording()
    assert clipboard.copy_text(app, "", "key") == "nothing to copy: the key is empty"
    assert app.written == []


@pytest.mark.parametrize(
    ("text", "is_on", "why"),
    [("x" * 100_001, True, "too much for a clipboard"), ("secret", False, "the clipboard is off")],
)
def test_what_the_clipboard_cannot_take_is_kept_in_a_file(text: str, is_on: bool, why: str) -> None:
    app = Recording()
    said = clipboard.copy_text(app, text, "JSON", is_on=is_on)
    path = places().state / clipboard.FILE
    assert why in said
    assert str(path) in said
    assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert app.written == []
