"""Servers forked from one process that has loaded what every server loads: a seventh of the work of a start.

The command line, the process and all that it does are those of `flowlatch serve`; only the interpreter is not a new
one. Where the start itself is what is tested, the command is executed (`as_a_command` in the tests of the server).
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import BinaryIO

MESSAGE_BYTES = 1 << 17
LOADED_LATE = (
    "flowlatch.cli.crash",
    "flowlatch.cli.main",
    "flowlatch.cli.serve",
    "flowlatch.looks",
    "flowlatch.places",
    "flowlatch.server.logs",
    "flowlatch.server.process",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvloop",
)
"""What the command imports only once it is known what is asked for: most of the work of a start."""


class Child:
    """A forked process, with those methods of `subprocess.Popen` that a server needs."""

    def __init__(self, pid: int, stdout: BinaryIO, ended: int) -> None:
        """`ended` is a descriptor that tells the exit code in decimal digits once the process has ended."""
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the process runs."""
        return self._code(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code. Raises `subprocess.TimeoutExpired` after so many seconds."""
        code = self._code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, which is not told yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def _code(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout_s)[0]:
            told = os.read(self._ended, 64)
            os.close(self._ended)
            assert told, "the process that forks servers has ended"
            self.returncode = int(told)
        return self.returncode


class Nursery:
    """The process that forks; it is started with the first child and ends with this one."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, arguments: Sequence[str], env: Mapping[str, str], stderr: int) -> Child:
        """Run `flowlatch` with these arguments, its stdout in a pipe, its stderr on a descriptor."""
        link = self._socket or self._begin()
        out, child_out = os.pipe()
        ended, child_ended = os.pipe()
        task = json.dumps({"arguments": list(arguments), "env": dict(env), "directory": os.getcwd()}).encode()
        socket.send_fds(link, [task], [child_out, stderr, child_ended])
        os.close(child_out)
        os.close(child_ended)
        return Child(int(link.recv(64)), open(out, "rb", buffering=0), ended)

    def close(self) -> None:
        """End the process and what it forked."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()
            self._socket = self._process = None

    def _begin(self) -> socket.socket:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.nursery", str(number)],
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
            )
        return self._socket


class _Forker:
    """What runs in the process that forks."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._children: dict[int, int] = {}
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Fork until the other side goes away. Returns in each child too, where the command is what comes next."""
        while True:
            ready, _, _ = select.select([self._link.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._link.fileno() in ready:
                task, descriptors, _, _ = socket.recv_fds(self._link, MESSAGE_BYTES, 3)
                if not task:
                    return self._end()
                if self._fork(task, *descriptors):
                    return None

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            ended = self._children.pop(pid)
            os.write(ended, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(ended)

    def _end(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        sys.exit()

    def _fork(self, task: bytes, out: int, err: int, ended: int) -> bool:
        """Return True in the child."""
        pid = os.fork()
        if pid:
            self._children[pid] = ended
            os.close(out)
            os.close(err)
            self._link.send(str(pid).encode())
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - lasts as long as the process
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        self._link.detach()
        os.closerange(3, 1024)
        wanted = json.loads(task)
        os.chdir(wanted["directory"])
        os.environ.clear()
        os.environ.update(wanted["env"])
        sys.argv = ["flowlatch", *wanted["arguments"]]
        return True


if __name__ == "__main__":
    from flowlatch.__main__ import main
    from flowlatch.server.schema import schema

    for module in LOADED_LATE:
        import_module(module)
    schema()
    gc.collect()
    gc.freeze()
    _Forker(socket.socket(fileno=int(sys.argv[1]))).run()
    main()
