"""Which idempotency key a new run gets: automatic, one's own, or none; with the sentence about its life."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from flowlatch.ui.widgets.choice import Choice, Option
from flowlatch.ui.widgets.field import Field, TextInput
from flowlatch.ui.widgets.words import show_words

AUTOMATIC, OWN, NO_KEY = "automatic", "own", "none"
NO_KEY_WORDS = "without a key each submit makes a new run, also when an answer was lost"


SHOWN_CELLS = 24


def short_key(key: str) -> str:
    """Return an automatic key, the middle of a long one left out: it is in the preview and in the run."""
    return key if len(key) <= SHOWN_CELLS else f"{key[:10]}…{key[1 - (SHOWN_CELLS - 10) :]}"


class KeyField(Vertical):
    """`key` is what will be sent. `life` is the sentence about how long a key lives on this server."""

    DEFAULT_CSS = """
    KeyField { height: auto; width: 1fr; }
    KeyField .life { padding: 0 0 0 11; color: $muted; height: auto; }
    KeyField #own-key { display: none; }
    KeyField.-own #own-key { display: block; }
    """

    @dataclass
    class Changed(Message):
        """Another kind of key was chosen, or one's own was typed."""

        kind: str

    def __init__(
        self, automatic: str, life: str, *, kind: str = AUTOMATIC, own: str = "", id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.automatic = automatic
        self.kind = kind if kind in (AUTOMATIC, OWN, NO_KEY) else AUTOMATIC
        self.own = own
        self._life = life

    def compose(self) -> ComposeResult:
        """The three kinds, the input for one's own, the sentence."""
        yield Field("Key", Choice(self._options(), value=self.kind))
        yield Field("", TextInput(self.own, placeholder="up to 1,024 bytes; case and spaces count"), id="own-key")
        yield Static(Content(""), classes="life", markup=False)

    def on_mount(self) -> None:
        """Say how long it lives."""
        self._show()

    def _options(self) -> list[Option]:
        return [
            Option(AUTOMATIC, f"automatic  {short_key(self.automatic)}"),
            Option(OWN, "my own"),
            Option(NO_KEY, "none"),
        ]

    @property
    def key(self) -> str | None:
        """The key to send; None for none, empty while one's own is not typed yet."""
        return {AUTOMATIC: self.automatic, OWN: self.own}.get(self.kind)

    def set_automatic(self, key: str) -> None:
        """Take a fresh automatic key and choose it."""
        self.automatic, self.kind = key, AUTOMATIC
        choice = self.query_one(Choice)
        choice.set_options(self._options())
        choice.value = AUTOMATIC
        self._show()

    def set_life(self, life: str) -> None:
        """Show another sentence about the life of keys."""
        self._life = life
        self._show()

    def show_problem(self, problem: str) -> None:
        """Show what is wrong with one's own key."""
        self.query_one("#own-key", Field).show_problem(problem)

    def on_choice_changed(self, message: Choice.Changed) -> None:
        """Take the kind; one's own opens its input."""
        message.stop()
        self.kind = message.value
        self._show()
        if self.kind == OWN:
            self.query_one(TextInput).focus()
        self.post_message(self.Changed(self.kind))

    def on_input_changed(self, message: Input.Changed) -> None:
        """Take the key as typed."""
        message.stop()
        if message.value != self.own:
            self.own = message.value
            self.post_message(self.Changed(self.kind))

    def _show(self) -> None:
        self.set_class(self.kind == OWN, "-own")
        words = NO_KEY_WORDS if self.kind == NO_KEY else self._life
        show_words(self.query_one(".life", Static), Content(words))
