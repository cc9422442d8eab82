"""The commands typed before, kept in a file of the operator's own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from flowlatch.text import clean

KEPT = 200
LONGEST = 500


class Recall:
    """Commands, oldest first. A file that cannot be read or written is done without: nothing depends on it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines = self._read()

    def _read(self) -> list[str]:
        try:
            lines = self._path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return []
        return [clean(line, LONGEST) for line in lines if line.strip()][-KEPT:]

    def add(self, text: str) -> None:
        """Remember a command as the newest; typed twice it is kept once."""
        text = text.strip()
        if not text or len(text) > LONGEST or not text.isprintable():
            return
        self.lines = [*(line for line in self._read() if line != text), text][-KEPT:]
        self._write()

    def _write(self) -> None:
        beside = self._path.with_name(f".{self._path.name}-{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in self.lines))
            os.replace(beside, self._path)
        except OSError:
            with suppress(OSError):
                beside.unlink()
