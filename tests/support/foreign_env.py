"""Environments of foreign programs: the real Prefect 1 client, the real Prefect 3 server, each from a hash lock."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from pathlib import Path

from tests.support.sources import ROOT

INSTALL_S = 600.0


class CannotInstall(Exception):
    """The environment cannot be made here; the message says why."""


def install(name: str, lock: Path, base: str | Path, module: str) -> Path:
    """Make the environment `ROOT/NAME` from a lock unless it is there, import `module` once, and return its Python.

    `base` is the interpreter to make it with. Only one process makes it. Raises `CannotInstall`.
    """
    with (ROOT / f"{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        return _install(ROOT / name, lock, base, module)


def _install(venv: Path, lock: Path, base: str | Path, module: str) -> Path:
    python, stamp = venv / "bin" / "python", venv / "flowlatch-lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return python
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    steps = [
        [str(base), "-m", "venv", "--clear", str(venv)],
        [*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock)],
        [str(python), "-W", "ignore", "-c", f"import {module}"],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise CannotInstall(f"{' '.join(step[:4])} …: {last}")
    stamp.write_text(wanted, "utf-8")
    return python
