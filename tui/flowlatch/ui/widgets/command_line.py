"""The command line: a prompt with the verbs that fit below it, completion by tab, history by up and down."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from flowlatch.text import one_line
from flowlatch.ui.widgets.field import LineInput
from flowlatch.ui.widgets.words import show_words

SHOWN = 8
"""Verbs listed at most."""
NAME_CELLS = 22
LEAST_WORD = 3
"""Letters from which on sentences are searched too."""


@dataclass(frozen=True)
class Verb:
    """One command: its name, one sentence, and the word for what follows it."""

    name: str
    sentence: str
    argument: str = ""
    """Word for what follows; empty when nothing does."""
    values: tuple[str, ...] = ()
    """Beginnings of the argument that can be completed."""
    aliases: tuple[str, ...] = ()
    needs_argument: bool = False

    @property
    def usage(self) -> str:
        """How it is typed: `theme NAME`."""
        if not self.argument:
            return self.name
        return f"{self.name} {self.argument}" if self.needs_argument else f"{self.name} [{self.argument}]"


def find(text: str, verbs: Sequence[Verb]) -> tuple[Verb, str] | str:
    """Return the verb that was typed and its argument; one clear line when there is none.

    A name may be cut to what tells it from all others.
    """
    name, _, argument = text.strip().lstrip(":").partition(" ")
    argument = argument.strip()
    exact = [verb for verb in verbs if name == verb.name or name in verb.aliases]
    fitting = exact or [verb for verb in verbs if name and verb.name.startswith(name)]
    if len(fitting) > 1:
        return f":{one_line(name, 40)} may be {', '.join(verb.name for verb in fitting[:6])}"
    if not fitting:
        close = difflib.get_close_matches(name, [verb.name for verb in verbs], 1, 0.5)
        hint = f"did you mean :{close[0]}?" if close else "? lists the keys, : then tab the commands"
        return f":{one_line(name, 40)} is no command; {hint}"
    verb = fitting[0]
    if verb.needs_argument and not argument:
        return f":{verb.usage} wants {verb.argument}"
    if argument and not verb.argument:
        return f":{verb.name} takes nothing behind it"
    return verb, argument


def fitting(text: str, verbs: Sequence[Verb]) -> list[Verb]:
    """Return the verbs that fit what is typed: by the start of the name, then by any part of name or sentence."""
    name, space, _ = (
        text.strip(" :").partition(" ") if " " not in text.lstrip(" :") else text.lstrip(" :").partition(" ")
    )
    wanted = name.casefold()
    if space:
        return [verb for verb in verbs if wanted == verb.name or wanted in verb.aliases]
    begins = [verb for verb in verbs if verb.name.startswith(wanted)]
    holds = [verb for verb in verbs if verb not in begins and _tells(verb, wanted)]
    return begins + (holds if wanted else [])


def _tells(verb: Verb, wanted: str) -> bool:
    """True when the name holds what is typed, or a word of the sentence begins with it."""
    if len(wanted) < LEAST_WORD:
        return False
    return wanted in verb.name or any(word.startswith(wanted) for word in verb.sentence.casefold().split())


def completed(text: str, verbs: Sequence[Verb]) -> str:
    """Return `text` with its last word completed as far as there is only one way; unchanged when there is none."""
    bare = text.lstrip(" :")
    name, space, argument = bare.partition(" ")
    if not space:
        names = [verb.name for verb in verbs if verb.name.startswith(name)]
        return (
            _grown(name, names, " " if any(v.name == names[0] and v.argument for v in verbs) else "") if names else text
        )
    verb = next((verb for verb in verbs if name == verb.name or name in verb.aliases), None)
    if verb is None or not verb.values:
        return text
    head, gap, word = argument.rpartition(" ")
    values = [value for value in verb.values if value.startswith(word)]
    return f"{name} {head}{gap}{_grown(word, values, '')}" if values else text


def _grown(word: str, ways: Sequence[str], end: str) -> str:
    """Return the longest beginning that all ways share; with `end` when there is only one."""
    if len(ways) == 1:
        return ways[0] + end
    shared = ways[0]
    for way in ways[1:]:
        while not way.startswith(shared):
            shared = shared[:-1]
    return max(shared, word, key=len)


def listed(text: str, verbs: Sequence[Verb]) -> Content:
    """Return what stands over the prompt: the verbs that fit, or the values of the one that is typed."""
    found = fitting(text, verbs)
    lines = [
        Content.assemble((f":{verb.usage}".ljust(NAME_CELLS), "$foreground"), verb.sentence) for verb in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(Content(f" {len(found) - SHOWN} more; type on"))
    if not found and text.strip():
        lines = [Content("no such command")]
    if len(found) == 1 and found[0].values:
        word = text.rpartition(" ")[2]
        lines.append(Content("  " + "  ".join(value for value in found[0].values if value.startswith(word))))
    return Content("\n").join(lines)


class _Completion(Suggester):
    """Shows in grey what tab would complete."""

    def __init__(self, verbs: Sequence[Verb]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._verbs = verbs

    async def get_suggestion(self, value: str) -> str | None:
        """Return the completed text, None when there is nothing to add."""
        text = completed(value, self._verbs)
        return text.rstrip() if text.rstrip() != value and value else None


class CommandLine(Vertical):
    """Prompt and list. Says what was typed; runs nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", priority=True, tooltip="Complete the word", id="complete"),
        Binding("up", "older", "Older", tooltip="The command typed before", show=False, id="older_command"),
        Binding("down", "newer", "Newer", tooltip="The command typed after", show=False, id="newer_command"),
    ]
    DEFAULT_CSS = """
    CommandLine { height: auto; width: 1fr; background: $panel; }
    CommandLine > Horizontal { height: 1; padding: 0 1; }
    CommandLine Input, CommandLine Input:focus {
        width: 1fr; height: 1; border: none; padding: 0; background: $panel; color: $foreground;
    }
    CommandLine #colon { width: 1; color: $accent; }
    CommandLine #verbs { height: auto; padding: 0 1; color: $muted; background: $surface; }
    """

    @dataclass
    class Typed(Message):
        """A command was typed and entered."""

        text: str

    def __init__(self, verbs: Sequence[Verb], history: Sequence[str] = (), *, text: str = "") -> None:
        super().__init__()
        self._verbs = list(verbs)
        self._history = list(history)
        """Oldest first."""
        self._place = len(self._history)
        self._begun = text
        self._text = text

    def compose(self) -> ComposeResult:
        """Put the list over the prompt: the prompt is the last line, where a shell has it."""
        yield Static(id="verbs", markup=False)
        with Horizontal():
            yield Static(Content(":"), id="colon")
            yield LineInput(
                self._text, compact=True, select_on_focus=False, suggester=_Completion(self._verbs), id="command"
            )

    def on_mount(self) -> None:
        """Stand in the prompt."""
        self.query_one(Input).focus()
        self._show_verbs(self._text)

    def _show_verbs(self, text: str) -> None:
        show_words(self.query_one("#verbs", Static), listed(text, self._verbs))

    def on_input_changed(self, message: Input.Changed) -> None:
        """List what fits."""
        message.stop()
        self._show_verbs(message.value)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Say what was typed."""
        message.stop()
        self.post_message(self.Typed(message.value.strip().lstrip(":").strip()))

    def action_complete(self) -> None:
        """Complete the last word."""
        self._put(completed(self.query_one(Input).value, self._verbs))

    def action_older(self) -> None:
        """Bring back the command before."""
        if self._place == len(self._history):
            self._begun = self.query_one(Input).value
        if self._place > 0:
            self._place -= 1
            self._put(self._history[self._place])

    def action_newer(self) -> None:
        """Go forward again, in the end to what was being typed."""
        if self._place < len(self._history):
            self._place += 1
            self._put(self._history[self._place] if self._place < len(self._history) else self._begun)

    def _put(self, text: str) -> None:
        field = self.query_one(Input)
        field.value = text
        field.cursor_position = len(text)
