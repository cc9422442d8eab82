"""The discovery file and the lock of a data directory: how clients and the embedded server find each other.

The kernel lock on `lock` alone means "a server is running here"; `server.json` says where. A pid or a left-over file
means nothing: after `kill -9` the kernel has dropped the lock. Source: design.md §9.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from flowlatch.errors import ConfigError

DATABASE = "flowlatch.db"
SERVER_LOG = "server.log"
TOKEN = "token"
SERVER_FILE = "server.json"
LOCK = "lock"
MOUNTS = Path("/proc/self/mountinfo")
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "fuse.sshfs"})
"""Where neither the kernel's locks nor SQLite's shared memory can be relied on; reliability.md §2."""


@dataclass(frozen=True)
class ServerInfo:
    """Content of `server.json`."""

    url: str
    pid: int
    server_id: str
    version: str
    started_at: str
    """ISO 8601, UTC."""
    auto: bool
    """True when a client started this server; such a one is started again when it dies."""
    token_file: str | None
    """Absolute path; None when the server runs without authentication."""


def prepare_directory(path: Path) -> Path:
    """Make a data directory (0700) or tighten an existing one, and return it, absolute.

    Raises `ConfigError` when it cannot be made, is no directory, belongs to somebody else, others can write it, or it
    lies on a network file system.
    """
    path = path.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise ConfigError(f"data directory {path}: {error.strerror or error}") from error
    if status.st_uid != os.getuid():
        raise ConfigError(f"data directory {path} belongs to another user")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"data directory {path} can be written by others: chmod go-w {path}")
    kind = file_system(path)
    if kind in NETWORK_FILE_SYSTEMS:
        raise ConfigError(f"data directory {path} is on a network file system ({kind}): use a local disk")
    if stat.S_IMODE(status.st_mode) != 0o700:
        path.chmod(0o700)
    return path


def file_system(path: Path, mounts: Path | None = None) -> str:
    """Return the type of the file system that a path lies on, as Linux names it; empty where it cannot tell."""
    try:
        lines = (mounts or MOUNTS).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    path, found, longest = path.resolve(), "", -1
    for line in lines:  # "36 35 98:0 /root /mount/point options [tags…] - type source options"
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if not after or len(fields) < 5:
            continue
        place = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4]))
        if path.is_relative_to(place) and len(place.parts) >= longest:
            found, longest = after.split(" ")[0], len(place.parts)
    return found


class DirectoryLock:
    """The kernel lock that a server holds while it lives. `acquire` returns False when another process holds it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; True when this process holds it now."""
        if self._fd is not None:
            return True
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Give the lock back; the file stays, it means nothing by itself."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_running(directory: Path) -> bool:
    """True when a server holds the lock of this directory right now."""
    try:
        fd = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def write_server_file(directory: Path, info: ServerInfo) -> None:
    """Put `server.json` in place in one step, readable by this user only."""
    fd, name = tempfile.mkstemp(prefix=".server-", dir=directory)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(asdict(info), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, directory / SERVER_FILE)


def read_server_file(directory: Path) -> ServerInfo | None:
    """Return what `server.json` says; None when it is missing or unreadable. It may be left over: see `is_running`."""
    try:
        content = json.loads((directory / SERVER_FILE).read_text("utf-8"))
        return ServerInfo(**{name: content[name] for name in ServerInfo.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_server_file(directory: Path) -> None:
    """Remove `server.json` after a clean stop."""
    (directory / SERVER_FILE).unlink(missing_ok=True)
