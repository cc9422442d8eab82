"""The recorded walkthrough plays: each chapter ends on the screen that the README tells of."""

from __future__ import annotations

import json

import pyte
import pytest

from tests.asciicast import CAST
from tests.support.pty import KEY_REPORTS

ENDS = {
    "Find yesterday's failed runs of one flow": ("4 of 11", "dusty-seal"),
    "Read why": ("4 of 11", "/ state:failed since:yesterday"),
    "Retry three as new runs": ("4 of 14",),
    "Cancel two that wait": ("0 of 14", "Cancelled"),
    "Set one to Success, meet a conflict": (
        "Changed while you were editing",
        "THEIRS v4",
        "mira@ops-2",
        "nothing was written",
    ),
    "Resolve it: apply mine on the new version, after a question": ("v5 Success",),
    "Undo it": ("v6",),
    "Export the list": (),
}


@pytest.fixture(scope="module")
def chapters() -> dict[str, str]:
    """The screen at the end of each chapter of the cast."""
    header, *events = (json.loads(line) for line in CAST.read_text("ascii").splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    seen: dict[str, str] = {}
    chapter, last_s = "", 0.0
    for at_s, kind, text in events:
        assert at_s >= last_s
        last_s = at_s
        if kind == "m":
            seen[chapter], chapter = "\n".join(screen.display), text
        else:
            stream.feed(KEY_REPORTS.sub(b"", text.encode()))
    assert 60 < last_s < 150
    return {**seen, chapter: "\n".join(screen.display)}


def test_the_chapters_are_the_walkthrough(chapters: dict[str, str]) -> None:
    assert [name for name in chapters if name] == list(ENDS)


@pytest.mark.parametrize("chapter", list(ENDS))
def test_each_chapter_ends_where_the_readme_says(chapters: dict[str, str], chapter: str) -> None:
    missing = [text for text in ENDS[chapter] if text not in chapters[chapter]]
    assert not missing, chapters[chapter]


def test_the_cast_names_no_machine() -> None:
    assert not [word for word in ("/root", "/home", "/work") if word in CAST.read_text("ascii")]
