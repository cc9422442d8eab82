"""`flowlatch serve` as a process: lock, database, socket, discovery file, signals, and a clean end.

Source: design.md §3 and §9, reliability.md §6.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from flowlatch.discovery import (
    TOKEN,
    DirectoryLock,
    ServerInfo,
    prepare_directory,
    read_server_file,
    remove_server_file,
    write_server_file,
)
from flowlatch.errors import ConfigError
from flowlatch.server.app import App
from flowlatch.server.auth import Gate, make_token_file, read_tokens
from flowlatch.server.background import Background, Intervals
from flowlatch.server.connection import Connection
from flowlatch.server.schema import schema
from flowlatch.server.service import Service
from flowlatch.store.base import Store
from flowlatch.store.sqlite.store import open_sqlite
from flowlatch.version import __version__

KEEP_ALIVE_S = 60
GRACE_S = 3
SCHEDULER_S, ZOMBIE_KILLER_S, LAZARUS_S = 150.0, 120.0, 600.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeOptions:
    """What `flowlatch serve` was asked to do."""

    data: Path
    database: str | None = None
    """A URL of PostgreSQL; None: SQLite in `data`."""
    host: str = "127.0.0.1"
    port: int = 4200
    auth: bool = True
    token_file: Path | None = None
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    public: bool = False
    read_only: bool = False
    introspection: bool = True
    scheduler: bool = True
    zombie_killer: bool = False
    lazarus: bool = False
    exit_when_idle_s: float | None = None
    idempotency_window_s: float = 86_400.0

    @property
    def intervals(self) -> Intervals:
        """How often the background work is done."""
        writes = not self.read_only
        return Intervals(
            scheduler_s=SCHEDULER_S if writes and self.scheduler else None,
            zombie_killer_s=ZOMBIE_KILLER_S if writes and self.zombie_killer else None,
            lazarus_s=LAZARUS_S if writes and self.lazarus else None,
        )


def serve(options: ServeOptions) -> int:
    """Serve until SIGTERM, SIGINT or idleness; return the exit code. Raises `ConfigError` for what cannot start."""
    _check(options)
    os.umask(0o077)
    directory = prepare_directory(options.data)
    with DirectoryLock(directory) as lock:
        if not lock.acquire():
            running = read_server_file(directory)
            raise ConfigError(
                f"data directory {directory} is served already" + (f" at {running.url}" if running else "")
            )
        remove_server_file(directory)  # left over from a server that was killed
        listening = _listen(options.host, options.port)
        with contextlib.closing(listening):
            return uvicorn_run(_serve(options, directory, listening))


def uvicorn_run(main: object) -> int:
    """Run on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)  # type: ignore[arg-type]
    return uvloop.run(main)  # type: ignore[arg-type]


def _check(options: ServeOptions) -> None:
    is_local = options.host in LOOPBACK
    if not is_local and not options.public:
        raise ConfigError(f"--host {options.host}: another address than loopback needs --public")
    if not is_local and not options.auth:
        raise ConfigError("--no-auth is for loopback only")
    if not 0 <= options.port <= 65535:
        raise ConfigError(f"--port {options.port}: a port is 0 to 65535")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(f"port {port} on {host}: {error.strerror or error}") from error
    listening.set_inheritable(True)
    return listening


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: ours ends with exit code 0 and does not raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(options: ServeOptions, directory: Path, listening: socket.socket) -> int:
    store = await _open_store(options, directory)
    try:
        return await _serve_store(options, directory, listening, store)
    finally:
        await store.close()
        logger.info("stopped")


async def _open_store(options: ServeOptions, directory: Path) -> Store:
    if options.database is None:
        return await open_sqlite(directory, idempotency_window_s=options.idempotency_window_s)
    from flowlatch.store.postgres.store import open_postgres  # the driver is loaded only where it is used

    return await open_postgres(options.database, idempotency_window_s=options.idempotency_window_s)


async def _serve_store(options: ServeOptions, directory: Path, listening: socket.socket, store: Store) -> int:
    schema()  # built before the first request and not by it
    port = listening.getsockname()[1]
    token_file = _token_file(options, directory)
    app = App(
        Service(store, options.read_only, options.introspection),
        Gate(
            port,
            frozenset(name.lower() for name in (*options.allow_hosts, *_own_names(options, port))),
            frozenset(options.allow_origins),
            read_tokens(token_file) if token_file else None,
        ),
        compress=options.public,
    )
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=Connection,
            ws="websockets-sansio",
            ws_max_size=1024 * 1024,
            ws_ping_interval=None,
            ws_per_message_deflate=options.public,  # on one machine it costs time and saves nothing
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        app.feed.close()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    url = f"http://{_shown_host(options.host)}:{port}"
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await _until_started(server, serving)
    gc.freeze()
    gc.enable()
    _announce(options, directory, url, store.server_id, token_file)
    helpers = [asyncio.create_task(Background(store, options.intervals).run())]
    if options.exit_when_idle_s is not None:
        helpers.append(asyncio.create_task(_end_when_idle(app, options.exit_when_idle_s, stop)))
    try:
        await serving
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        remove_server_file(directory)
    return 0


def _token_file(options: ServeOptions, directory: Path) -> Path | None:
    if not options.auth:
        logger.warning("no authentication: every user of this machine can read and change runs")
        return None
    if options.token_file is not None:
        return options.token_file.expanduser().absolute()
    make_token_file(directory / TOKEN)
    return directory / TOKEN


def _own_names(options: ServeOptions, port: int) -> tuple[str, ...]:
    """Return the Host of the address that was asked for; what stands for every address is nobody's name."""
    if options.host in ("0.0.0.0", "::"):
        if not options.allow_hosts:
            logger.warning("listening on every address: name the hosts it is reached by with --allow-host")
        return ()
    return (f"{_shown_host(options.host)}:{port}",)


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _until_started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            serving.result()
            raise ConfigError("the server could not start")
        await asyncio.sleep(0.002)  # uvicorn tells by this attribute only


def _announce(options: ServeOptions, directory: Path, url: str, server_id: str, token_file: Path | None) -> None:
    """Put the discovery file in place and say that the server answers."""
    write_server_file(
        directory,
        ServerInfo(
            url=url,
            pid=os.getpid(),
            server_id=server_id,
            version=__version__,
            started_at=datetime.now(UTC).isoformat(),
            auto=options.exit_when_idle_s is not None,
            token_file=str(token_file) if token_file else None,
        ),
    )
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()
    logger.info("ready %s data=%s read_only=%s auth=%s", url, directory, options.read_only, options.auth)


async def _end_when_idle(app: App, idle_s: float, stop: object) -> None:
    """End the server once no request and no websocket was open for `idle_s`."""
    loop = asyncio.get_running_loop()
    while True:
        idle_for = 0.0 if app.open else loop.time() - app.last_activity
        if idle_for >= idle_s:
            logger.info("idle for %.0f s", idle_for)
            stop()  # type: ignore[operator]
            return
        await asyncio.sleep(min(max(idle_s - idle_for, 0.05), 1.0))
