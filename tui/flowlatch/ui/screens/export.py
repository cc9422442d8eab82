"""Asks where to write something, then writes it: a new file that only its owner can read."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from flowlatch.errors import BackendError, BadInput
from flowlatch.live.export import Export, Format, suggested, write_new
from flowlatch.live.session import Session
from flowlatch.places import brief
from flowlatch.text import one_line
from flowlatch.ui import keys
from flowlatch.ui.screens.base import FlowModal
from flowlatch.ui.widgets.background import begin
from flowlatch.ui.widgets.choice import Choice, Option
from flowlatch.ui.widgets.field import Field, TextInput
from flowlatch.ui.widgets.words import show_words

WORDS = {
    Format.JSON_LINES: "JSON lines",
    Format.CSV: "CSV",
    Format.TEXT: "plain text",
    Format.SVG: "SVG",
}


class ExportScreen(FlowModal[Path | None]):
    """Ends with the file that was written, or None."""

    BINDINGS = [keys.SUBMIT, keys.NEXT_FIELD, keys.PREVIOUS_FIELD, keys.CLOSE]
    DEFAULT_CSS = """
    ExportScreen Static { height: auto; }
    ExportScreen .note { color: $muted; margin: 1 0 0 0; }
    """

    def __init__(self, session: Session, export: Export, *, directory: Path | None = None) -> None:
        super().__init__(session)
        self._export = export
        self._directory = directory or Path.home()
        self._format = export.formats[0]
        self._is_writing = False
        self._proposal = suggested(export, self._format, self._directory, session.local_now())

    def body(self) -> ComposeResult:
        """Format, file, and what is left out."""
        if len(self._export.formats) > 1:
            options = [Option(kind.value, WORDS[kind]) for kind in self._export.formats]
            yield Field("Format", Choice(options, value=self._format.value, id="format"))
        yield Field("File", TextInput(brief(self._proposal), id="file"), id="file-field")
        yield Static(self._note(), classes="note", markup=False)
        yield Static(Content(""), id="answer", markup=False)

    def _note(self) -> Content:
        keys_line = Content.assemble(
            *((self.named("{submit}"), "bold"), " or ", ("enter", "bold"), " Write   "),
            *((self.named("{close}"), "bold"), " Close"),
        )
        about = Content("a new file, mode 0600; values of secret names are written as ***\n")
        if self._format is Format.SVG:
            about = Content("a new file, mode 0600; it shows what the screen showed, secrets as they were shown\n")
        return about + keys_line

    def on_mount(self) -> None:
        """Stand in the field."""
        self.query_one("#box").border_title = Content(one_line(f"Write {self._export.title}"))
        self.query_one("#file", Input).focus()

    @on(Choice.Changed, "#format")
    def _format_chosen(self, message: Choice.Changed) -> None:
        """Propose another name as long as the name is the proposed one; else only its end changes."""
        field = self.query_one("#file", Input)
        self._format = Format(message.value)
        proposal = suggested(self._export, self._format, self._directory, self.session.local_now())
        if field.value == brief(self._proposal):
            field.value = brief(proposal)
        else:
            path = Path(field.value)
            if path.suffix.lstrip(".") in [kind.value for kind in self._export.formats]:
                field.value = str(path.with_suffix(f".{self._format}"))
        self._proposal = proposal

    @on(Input.Submitted, "#file")
    def _entered(self) -> None:
        self.action_submit()

    def action_submit(self) -> None:
        """Write the file, once."""
        if not self._is_writing:
            self._is_writing = True
            begin(self, self._write, group="write")

    async def _write(self) -> None:
        try:
            path = named_file(self.query_one("#file", Input).value.strip())
            size = await write_new(path, self._export.text(self._format))
        except BadInput as error:
            self.query_one("#file-field", Field).show_problem(one_line(error))
            return
        except BackendError as error:
            show_words(self.query_one("#answer", Static), Content(f"not written: {one_line(error)}").stylize("$error"))
            return
        finally:
            self._is_writing = False
        self.notify(f"wrote {self._export.title} to {one_line(path)} ({size:,} bytes)", markup=False)
        self.dismiss(path)

    def action_close(self) -> None:
        """Write nothing."""
        self.dismiss(None)


def named_file(text: str) -> Path:
    """Return the path that was typed, `~` expanded. Raises `BadInput`."""
    if not text:
        raise BadInput("a file name is needed, e.g. ~/runs.csv")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise BadInput(f"{one_line(text)}: there is no such user") from error
