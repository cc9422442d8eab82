"""Write the manual page from the commands themselves: `python -m tests.man_page` writes `docs/flowlatch.1`.

One page holds every command, for a reader looks for a word in it. The wheel installs it (`pyproject.toml`).
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from flowlatch.cli.common import SCREEN_OPTIONS, SERVER_OPTIONS
from flowlatch.cli.main import NOUNS, flowlatch
from flowlatch.version import __version__
from tests.support.sources import ROOT

PAGE = ROOT / "docs" / "flowlatch.1"
WRITTEN_ON = "2026-11-24"
"""Of the texts of this file; the page has it in its foot."""
LINE = 79
_PLAIN = str.maketrans({"…": "...", "–": r"\(en", "→": r"\(->", "’": "'", "“": '"', "”": '"', "×": "x"})

DESCRIPTION = (
    "Without a command: the dashboard of flow runs on the default profile; with none configured, on a server of its"
    " own that is started when none runs. Every change names the version it is based on and is refused when the run has"
    " moved on since. The keys of each screen are shown by ?.",
    "RUN is an id, the beginning of one, or a name that only one run has. FILTER is what the dashboard's / takes, e.g."
    " state:failed since:2h flow:etl*. WHEN is a time in plain words: in 20m, tomorrow 7am, 2026-12-01 09:00.",
    "Options that every command takes may stand before or behind it.",
)
ENVIRONMENT = (
    ("FLOWLATCH_HOME", "Directory that holds configuration, data and state, instead of the platform's own places."),
    ("FLOWLATCH_PROFILE", "The profile, unless --profile is given."),
    ("FLOWLATCH_SERVER", "The server, unless --server is given."),
    ("FLOWLATCH_TOKEN_FILE", "File whose first line is the token of a server that has no profile."),
    ("FLOWLATCH_TOKEN", "That token itself."),
    ("FLOWLATCH_ACTOR", "Who acts, for the history; default user@host."),
    ("NO_COLOR", "Set to anything: no colours."),
)
FILES = (
    ("config.toml", "Profiles, theme and keys, in the platform's directory for configuration; the doctor names it."),
    ("flowlatch.db, token, server.json, lock, server.log", "In a server's data directory (--data)."),
    ("journal.jsonl, drafts/, flowlatch.log", "In the state directory: what was done from here, what was not sent."),
)
EXITS = (
    ("0", "Done."),
    ("1", "Failed, or refused by a rule of the server."),
    ("2", "Wrong usage, or it could not start."),
    ("4", "Not found."),
    ("5", "Version conflict: nothing was written."),
    ("6", "Outcome unknown: read before you try again."),
    ("7", "Not allowed: authentication, or read-only."),
    ("128+n", "Ended by signal n."),
)
EXAMPLES = (
    (
        "The failed runs of two hours, as a table and for a program",
        "flowlatch runs list --filter 'state:failed since:2h'",
    ),
    ("", "flowlatch runs list --filter 'state:failed since:2h' --json | jq -r .id"),
    ("Set a state only if the run is still version 7", "flowlatch runs set-state 7c1f02 Success --expect-version 7"),
    ("A server for others", "flowlatch serve --port 4200 --data /var/lib/flowlatch"),
)


def page() -> str:
    """Return the page in the language of man(7)."""
    return "\n".join([*_head(), *_commands(), *_tail()]) + "\n"


def _text(words: str) -> str:
    """Return running text on short lines: nothing in it is a request, a hyphen stays a hyphen."""
    lines = textwrap.wrap(_word(words), LINE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


def _word(words: str) -> str:
    return words.replace("\\", "\\e").translate(_PLAIN).replace("-", "\\-")


def _bold(words: str) -> str:
    return f"\\fB{_word(words)}\\fR"


def _head() -> Iterator[str]:
    yield '.\\" Written by tests/man_page.py from the commands themselves.'
    yield f'.TH FLOWLATCH 1 "{WRITTEN_ON}" "flowlatch {__version__}" "User Commands"'
    yield from (".SH NAME", "flowlatch \\- terminal dashboard for workflow runs, with a server and commands")
    yield from (".SH SYNOPSIS", f"{_bold('flowlatch')} [OPTION]...", ".br")
    yield f"{_bold('flowlatch')} COMMAND [ARGUMENT]... [OPTION]..."
    yield ".SH DESCRIPTION"
    for index, paragraph in enumerate(DESCRIPTION):
        yield from ([".PP"] if index else [])
        yield _text(paragraph)
    with click.Context(flowlatch, info_name="flowlatch") as context:
        yield from (".SH OPTIONS", ".SS Of every command")
        yield from _options(SERVER_OPTIONS, context, are_own=False)
        yield from (".TP", _bold("-h, --help"), "Show the help of a command and exit.")
        yield ".SS Of the dashboard, also with demo"
        yield from _options(SCREEN_OPTIONS, context, are_own=False)
        yield from (".TP", _bold("--version"), "Show the version and exit.")


def _commands() -> Iterator[str]:
    yield ".SH COMMANDS"
    with click.Context(flowlatch, info_name="flowlatch") as root:
        for noun in NOUNS:
            command = flowlatch.get_command(root, noun)
            assert command is not None
            yield from _command(command, click.Context(command, info_name=noun, parent=root))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """Write a command, and the verbs of a noun below it."""
    if isinstance(command, click.Group) and not command.invoke_without_command:
        for verb in command.list_commands(context):
            below = command.get_command(context, verb)
            assert below is not None
            yield from _command(below, click.Context(below, info_name=verb, parent=context))
        return
    pieces = [part for part in command.collect_usage_pieces(context) if part != "[OPTIONS]"]
    yield f'.SS "{" ".join([_word(context.command_path.removeprefix("flowlatch ")), *map(_word, pieces)])}"'
    paragraphs = (command.help or command.short_help or "").replace("\b", "").split("\n\n")
    for index, paragraph in enumerate(paragraphs):
        yield from ([".PP"] if index else [])
        yield _text(" ".join(paragraph.split()))
    yield from _options(command.get_params(context), context)


def _options(parameters: Sequence[click.Parameter], context: click.Context, *, are_own: bool = True) -> Iterator[str]:
    """Write options; of a command only those that are its own."""
    for parameter in parameters:
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        is_common = parameter in (*SERVER_OPTIONS, *SCREEN_OPTIONS) or "--help" in parameter.opts
        if are_own and is_common:
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            yield from (".TP", _bold(record[0]), _text(" ".join(record[1].split())))


def _tail() -> Iterator[str]:
    for title, entries in (("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES), ("EXIT STATUS", EXITS)):
        yield f".SH {title}"
        for word, sentence in entries:
            yield from (".TP", _bold(word), _text(sentence))
    yield ".SH EXAMPLES"
    for index, (sentence, line) in enumerate(EXAMPLES):
        yield from ([".PP"] if index and sentence else [])
        yield from ([_text(f"{sentence}:")] if sentence else [])
        yield from (".PP", ".in +4n", ".nf", _word(line), ".fi", ".in")
    yield from (".SH SEE ALSO", _text("README.md and docs/ of the source: keys, other servers, operations."))


def main(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page(), "ascii")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
