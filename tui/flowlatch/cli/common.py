"""The options that every command takes, before or behind its name, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowlatch.cli.output import Output
from flowlatch.errors import ConfigError

if TYPE_CHECKING:
    from flowlatch.config import Settings, Target

T = TypeVar("T")


@dataclass
class Common:
    """What was asked for on the command line as a whole."""

    profile: str | None = None
    server: str | None = None
    read_only: bool = False
    no_mouse: bool = False
    theme: str | None = None
    token_file: str | None = None
    token_stdin: bool = False
    ca_file: str | None = None
    json: bool = False

    @cached_property
    def out(self) -> Output:
        """The printer."""
        return Output.of_process(as_json=self.json)

    @cached_property
    def settings(self) -> Settings:
        """The configuration file; its problems are told once, on stderr."""
        from flowlatch.config import load_settings

        settings = load_settings()
        for problem in settings.problems:
            self.out.note(f"config: {problem}")
        return settings

    def target(self) -> Target:
        """Return the server that is meant. Raises `ConfigError`."""
        from flowlatch.config import resolve

        if self.token_file and self.token_stdin:
            raise ConfigError("give --token-file or --token-stdin, not both")
        return resolve(
            self.settings,
            profile=self.profile,
            server=self.server,
            token_file=self.token_file,
            token_stdin=self.token_stdin,
            ca_file=self.ca_file,
            read_only=self.read_only,
        )


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Store an option that was given; one left out behind the name does not undo one before it."""
    if value and param.name:
        setattr(ctx.find_root().ensure_object(Common), param.name, value)


def _option(*names: str, **attributes: Any) -> click.Option:
    return click.Option(names, expose_value=False, **{"callback": _keep, **attributes})


def _keep_theme(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    from flowlatch.looks import look_named, unknown_look

    if value is not None and look_named(value) is None:
        raise click.BadParameter(f"theme {unknown_look(value)}", ctx, param)
    _keep(ctx, param, value and look_named(value))


def _theme_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from flowlatch.looks import LOOKS

    return [name for name in LOOKS if name.startswith(incomplete)]


def _profile_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from flowlatch.config import load_settings

    return [name for name in load_settings().profiles if name.startswith(incomplete)]


SERVER_OPTIONS: list[click.Parameter] = [
    _option("--profile", metavar="NAME", help="The server of this profile.", shell_complete=_profile_names),
    _option("--server", metavar="URL", help="The server at this address; its kind is probed."),
    _option("--token-file", metavar="FILE", help="Take the token from the first line of FILE."),
    _option("--token-stdin", is_flag=True, help="Take the token from the first line of standard input."),
    _option("--ca-file", metavar="FILE", help="Trust the certificates in FILE."),
    _option("--read-only", is_flag=True, help="Refuse every change."),
    _option("--json", is_flag=True, help="One JSON object a line on stdout, nothing else there."),
]
SCREEN_OPTIONS: list[click.Parameter] = [
    _option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal, so that it can select text."),
    _option(
        "--theme",
        metavar="NAME",
        help="Colours of the dashboard.",
        callback=_keep_theme,
        shell_complete=_theme_names,
    ),
]
HIDDEN_SCREEN_OPTIONS: list[click.Parameter] = [
    _option("--no-mouse", is_flag=True, hidden=True),
    _option("--theme", hidden=True, callback=_keep_theme),
]


class Command(click.Command):
    """A command that also takes the common options."""

    has_screen = False

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence whole: the list of commands has room for a second line."""
        return super().get_short_help_str(max(limit, 1000))

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return its own options, then the common ones, then `--help`."""
        *own, last = super().get_params(ctx)
        screen = SCREEN_OPTIONS if self.has_screen else HIDDEN_SCREEN_OPTIONS
        return [*own, *SERVER_OPTIONS, *screen, last]


class ScreenCommand(Command):
    """A command that opens the dashboard."""

    has_screen = True


class Noun(click.Group):
    """A group of verbs, each with the common options; so has the group itself."""

    command_class = Command

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **{"no_args_is_help": False, **attributes})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they were added."""
        return list(self.commands)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the common options and `--help`."""
        *own, last = super().get_params(ctx)
        return [*own, *SERVER_OPTIONS, *HIDDEN_SCREEN_OPTIONS, last]


pass_common: Callable[[Callable[..., T]], Callable[..., T]] = click.make_pass_decorator(Common, ensure=True)
