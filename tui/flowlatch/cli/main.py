"""The root of the commands: finds the noun, turns errors into one line and an exit code (design.md §3, §9)."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from flowlatch.cli.common import SCREEN_OPTIONS, SERVER_OPTIONS, Common, pass_common
from flowlatch.cli.output import Output
from flowlatch.errors import FlowlatchError
from flowlatch.text import one_line
from flowlatch.version import __version__

NOUNS = {
    "demo": "The dashboard on a throw-away server with sample flows and live activity.",
    "serve": "The server alone, in the foreground.",
    "flows": "List, register and archive flows.",
    "runs": "List, create, watch and change flow runs.",
    "agents": "The agents that ask the server for work.",
    "journal": "What was done from here.",
    "profiles": "The servers in the configuration file.",
    "db": "Care of a data directory: check, back up, vacuum, prune.",
    "web": "The dashboard in a browser.",
    "doctor": "What this program sees: terminal, configuration, server. For bug reports.",
    "completion": "Print the completion script of a shell.",
}
"""Name → one line for the help. Each is `command` in `flowlatch.cli.NAME`, imported when it is called."""

INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE


class Root(click.Group):
    """The `flowlatch` command: without a noun it opens the dashboard."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options of every command."""
        *own, last = super().get_params(ctx)
        return [*own, *SERVER_OPTIONS, *SCREEN_OPTIONS, last]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the nouns in the order of `NOUNS`."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a noun's module and return its command; None for an unknown word."""
        if cmd_name not in NOUNS:
            return None
        command = import_module(f"flowlatch.cli.{cmd_name}").command
        gc.enable()
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of nouns without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        """Complete nouns without importing any of them."""
        if incomplete and not incomplete[0].isalnum():
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            click.shell_completion.CompletionItem(name, help=text)
            for name, text in NOUNS.items()
            if name.startswith(incomplete)
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a stop by ctrl-c and a reader that went away are no errors to talk about."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(BROKEN_PIPE)
        return result


@click.group(cls=Root, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="flowlatch %(version)s")
@click.pass_context
@pass_common
def flowlatch(common: Common, ctx: click.Context) -> int | None:
    """Watch, create, schedule and change flow runs; without a command: the dashboard."""
    if ctx.invoked_subcommand is not None:
        return None
    from flowlatch.cli.dashboard import open_dashboard

    return open_dashboard(common)


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code. Never raises for what a user or a server did."""
    out = Output.of_process(as_json="--json" in words)
    try:
        result = flowlatch.main(args=list(words), prog_name="flowlatch", standalone_mode=False)
    except click.UsageError as error:
        hint = f"; see: {error.ctx.command_path} --help" if error.ctx else ""
        out.error("USAGE", one_line(error.format_message(), 500).rstrip(".") + hint)
        return 2
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        out.error("USAGE", one_line(error.format_message(), 500))
        return 2
    except FlowlatchError as error:
        out.error(error.code, one_line(error, 1000))
        return error.exit_code
    except OSError as error:
        out.error("FAILED", one_line(f"{error.filename or 'system'}: {error.strerror or error}", 500))
        return 1
    return result if isinstance(result, int) else 0
