"""`flowlatch completion`: the script that teaches a shell to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from flowlatch.cli.common import Command, Common, pass_common


class _Bash(BashComplete):
    """Bash's script without looking for a bash: the script may be made elsewhere."""

    @staticmethod
    def _check_version() -> None:
        return


class _Fish(FishComplete):
    """Fish's script, with descriptions that go on behind their first comma."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": ZshComplete, "fish": _Fish}


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@pass_common
def command(common: Common, shell: str) -> None:
    """Print the completion script of SHELL.

    bash: eval "$(flowlatch completion bash)" in ~/.bashrc, likewise zsh in ~/.zshrc, behind its compinit; fish:
    flowlatch completion fish > ~/.config/fish/completions/flowlatch.fish
    """
    from flowlatch.cli.main import flowlatch

    common.out.script(SHELLS[shell](flowlatch, {}, "flowlatch", "_FLOWLATCH_COMPLETE").source())
