"""`flowlatch serve`: the server alone, in the foreground."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from flowlatch.errors import BadInput

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def length_of_time(text: str, option: str) -> float:
    """Return `90s`, `15m`, `24h` or `2d` in seconds. Raises `BadInput`."""
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise BadInput(f"{option} {text}: a number and s, m, h or d, such as 24h") from None
    if not 0 < seconds < 10 * 365 * 86_400:
        raise BadInput(f"{option} {text}: more than 0 and less than ten years")
    return seconds


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=4200, show_default=True, type=int, help="Port; 0 picks a free one.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory: database, token, discovery file.")
@click.option("--database", metavar="URL", help="postgresql://USER@HOST/NAME instead of SQLite; see PGPASSFILE.")
@click.option("--no-auth", is_flag=True, help="No token; loopback only.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Lines of [NAME ]TOKEN instead of an own token.")
@click.option("--allow-host", multiple=True, metavar="H", help="Accept this Host header too; may be repeated.")
@click.option("--allow-origin", multiple=True, metavar="O", help="Accept this Origin; may be repeated.")
@click.option("--public", is_flag=True, help="Allow another --host than loopback; put TLS in front.")
@click.option("--read-only", is_flag=True, help="Refuse every mutation.")
@click.option("--no-introspection", is_flag=True, help="Do not tell the schema.")
@click.option("--no-scheduler", is_flag=True, help="Do not create the runs of schedules.")
@click.option("--zombie-killer", is_flag=True, help="Fail task runs whose flow run gave no sign of life.")
@click.option("--lazarus", is_flag=True, help="Schedule runs anew that died without a word.")
@click.option("--log-json", is_flag=True, help="One JSON object for each log line.")
@click.option("--exit-when-idle", metavar="T", help="End when nothing was connected for so long, e.g. 60s.")
@click.option(
    "--idempotency-window", default="24h", show_default=True, metavar="T", help="Life of a key after its use."
)
def command(
    host: str,
    port: int,
    data: Path | None,
    database: str | None,
    no_auth: bool,
    token_file: Path | None,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
    public: bool,
    read_only: bool,
    no_introspection: bool,
    no_scheduler: bool,
    zombie_killer: bool,
    lazarus: bool,
    log_json: bool,
    exit_when_idle: str | None,
    idempotency_window: str,
) -> int:
    """Run the server alone, in the foreground. Says `ready URL` on stdout when it answers; logs go to stderr."""
    gc.disable()  # what is loaded now stays: searching it for garbage took a fifth of the start; `serve` enables it
    from flowlatch.places import places
    from flowlatch.server.logs import configure
    from flowlatch.server.process import ServeOptions, serve

    configure(as_json=log_json)
    return serve(
        ServeOptions(
            data=data or places().data,
            database=database,
            host=host,
            port=port,
            auth=not no_auth,
            token_file=token_file,
            allow_hosts=allow_host,
            allow_origins=allow_origin,
            public=public,
            read_only=read_only,
            introspection=not no_introspection,
            scheduler=not no_scheduler,
            zombie_killer=zombie_killer,
            lazarus=lazarus,
            exit_when_idle_s=length_of_time(exit_when_idle, "--exit-when-idle") if exit_when_idle else None,
            idempotency_window_s=length_of_time(idempotency_window, "--idempotency-window"),
        )
    )
