"""The operator's own editor on a piece of text: the screen is given back, the text comes home."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from textual.app import App, SuspendNotSupported

from flowlatch.errors import BadInput
from flowlatch.text import one_line

MAX_BYTES = 4 * 1024 * 1024


def edit_text(app: App[object], text: str, *, suffix: str = ".txt") -> str:
    """Open `$VISUAL`, `$EDITOR` or `vi` on `text` and return what was saved. Raises `BadInput` with one line."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    handle, name = tempfile.mkstemp(prefix="flowlatch-", suffix=suffix)
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        with app.suspend():
            status = subprocess.run([*shlex.split(command), name], check=False).returncode
        if status:
            raise BadInput(f"editor {one_line(command, 40)!r} ended with status {status}; the text is as it was")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput("editor: the file is over 4 MB; the text is as it was")
        edited = path.read_text(encoding="utf-8")
    except SuspendNotSupported as error:
        raise BadInput("editor: this terminal cannot be given away (no job control, or a browser)") from error
    except UnicodeDecodeError as error:
        raise BadInput("editor: the file is not UTF-8; the text is as it was") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"editor {one_line(command, 40)!r}: {one_line(reason)}; set $EDITOR") from error
    finally:
        path.unlink(missing_ok=True)
    return edited if text.endswith("\n") else edited.removesuffix("\n")
