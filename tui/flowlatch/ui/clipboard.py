"""The operator's clipboard, also over SSH: OSC 52, wrapped for tmux and screen; a file where that cannot be.

Copying happens only on a key press. The text is cleaned: what a terminal would obey must not come back by a paste.
Source: reliability.md §5.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from textual.app import App

from flowlatch.config import places
from flowlatch.text import clean

LIMIT_BYTES = 100_000
"""Terminals drop longer ones without a word."""
SCREEN_CHUNK = 700
"""GNU screen passes strings of up to 768 bytes through."""
FILE = "copied.txt"
CHAR_LIMIT = 16 * 1024 * 1024


def sequence(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return what to write to the terminal so that `text` is on its clipboard.

    Inside tmux the plain sequence goes first (for `set-clipboard on`), then the wrapped one (for `allow-passthrough`).
    """
    plain = f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}\x07"
    if environ.get("TMUX"):
        wrapped = plain.replace("\x1b", "\x1b\x1b")
        return f"{plain}\x1bPtmux;{wrapped}\x1b\\"
    if environ.get("STY") or environ.get("TERM", "").startswith("screen"):
        pieces = [plain[begin : begin + SCREEN_CHUNK] for begin in range(0, len(plain), SCREEN_CHUNK)]
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return plain


def copyable(text: str) -> str:
    """Return text that is safe to paste: no controls but line feeds; one line when it has none inside."""
    return clean(text.strip("\n"), CHAR_LIMIT, multiline=True)


def copy_text(app: App[object], text: str, what: str, *, is_on: bool = True) -> str:
    """Copy, and return one sentence that says what became of it."""
    safe = copyable(text)
    if not safe:
        return f"nothing to copy: the {what} is empty"
    size = len(safe.encode("utf-8", "replace"))
    driver = getattr(app, "_driver", None)
    if is_on and size <= LIMIT_BYTES and driver is not None:
        driver.write(sequence(safe))
        return f"copied the {what}"
    why = "the clipboard is off" if not is_on else f"{size // 1000} KB is too much for a clipboard"
    path = places().state / FILE
    try:
        keep(path, safe)
    except OSError as error:
        return f"not copied: {why}, and {path}: {error.strerror or 'cannot be written'}"
    return f"{why}: the {what} is in {path}"


def keep(path: Path, text: str) -> None:
    """Write the file that stands in for the clipboard, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
