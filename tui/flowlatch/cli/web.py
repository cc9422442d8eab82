"""`flowlatch web`: the dashboard in a browser through textual-serve, on this machine only."""

from __future__ import annotations

import shlex
import sys

import click

from flowlatch.cli.common import Common, ScreenCommand, pass_common
from flowlatch.errors import ConfigError

HOST = "127.0.0.1"


@click.command("web", cls=ScreenCommand)
@click.option("--port", type=click.IntRange(1, 65535), default=4280, show_default=True, help="Port on the loopback.")
@click.option("--writable", is_flag=True, help="Allow changes; without it the dashboard is read-only.")
@pass_common
def command(common: Common, port: int, writable: bool) -> int:
    """Serve the dashboard on http://127.0.0.1:PORT. Whoever can reach that port acts in your name."""
    if common.token_stdin:
        raise ConfigError("--token-stdin: a browser has no standard input; use --token-file")
    if writable and common.read_only:
        raise ConfigError("give --writable or --read-only, not both")
    common.target()
    try:
        from textual_serve.server import Server
    except ImportError as error:
        raise ConfigError("the browser needs one more package: pip install 'flowlatch[web]'") from error
    check_port(port)
    Server(dashboard_command(common, writable), host=HOST, port=port, title="flowlatch").serve()
    return 0


def dashboard_command(common: Common, writable: bool) -> str:
    """Return the shell command of the dashboard that each browser tab gets."""
    words = [sys.executable, "-m", "flowlatch"]
    for option, value in (
        ("--profile", common.profile),
        ("--server", common.server),
        ("--token-file", common.token_file),
        ("--ca-file", common.ca_file),
        ("--theme", common.theme),
    ):
        if value:
            words += [option, value]
    if not writable:
        words.append("--read-only")
    return shlex.join(words)


def check_port(port: int) -> None:
    """Raise `ConfigError` when something listens there already."""
    import errno
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            taken = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror
            raise ConfigError(f"--port {port}: {taken}; try another one") from error
