"""What docs/operations.md tells to type works: the unit, the container file, step by step where there is no docker."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.server import clean_environment
from tests.support.sources import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text("utf-8")
PROGRAM = "/opt/flowlatch/bin/flowlatch"


def block(language: str) -> str:
    """Return the first block of code in a language."""
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def steps() -> dict[str, list[str]]:
    """Return the container file's steps by their word, lines put together."""
    found: dict[str, list[str]] = {}
    for line in block("dockerfile").replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        found.setdefault(word, []).append(rest.strip())
    return found


@contextmanager
def running(words: list[str], directory: Path) -> Iterator[str]:
    """Run a server by the words of a document and yield its url; it must end well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flowlatch", *words],
        env=clean_environment(directory / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready, _, url = process.stdout.readline().strip().partition(" ")
        assert ready == "ready"
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
        assert code == 0


def replaced(words: list[str], **others: str) -> list[str]:
    """Return the words with other values behind some options."""
    for name, value in others.items():
        words = [value if before == f"--{name}" else word for before, word in zip(["", *words], words, strict=False)]
    return words


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "flowlatch.service"
    assert PROGRAM in block("ini")
    unit.write_text(block("ini").replace(PROGRAM, sys.executable), "utf-8")
    done = subprocess.run([verify, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_server_of_the_unit_starts(tmp_path: Path) -> None:
    line = re.search(r"^ExecStart=(.*)$", block("ini"), re.MULTILINE)
    assert line is not None
    program, *words = shlex.split(line[1])
    assert program == PROGRAM
    with running(replaced(words, port="0", data=str(tmp_path / "data")), tmp_path) as url:
        assert httpx.get(f"{url}/health", trust_env=False).json()["status"] == "ok"
    assert (tmp_path / "data" / "token").stat().st_mode & 0o777 == 0o600


def test_the_container_file_starts_a_server_that_is_healthy(tmp_path: Path) -> None:
    told = steps()
    assert [word for word in told if word not in ("FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE")] == [
        *("HEALTHCHECK", "ENTRYPOINT", "CMD")
    ]
    words: list[str] = json.loads(told["ENTRYPOINT"][0]) + json.loads(told["CMD"][0])
    program = words.pop(0)
    assert program == "flowlatch"
    assert words[words.index("--data") + 1] == told["VOLUME"][0]
    assert words[words.index("--port") + 1] == told["EXPOSE"][0]
    check = json.loads(told["HEALTHCHECK"][0].partition("CMD ")[2])
    with running(replaced(words, port="0", data=str(tmp_path / "data")), tmp_path) as url:
        port = url.rpartition(":")[2]
        own = [sys.executable, *(word.replace(":4200/", f":{port}/") for word in check[1:])]
        assert own[-1] != check[-1]
        assert subprocess.run(own, env=clean_environment(tmp_path), check=False).returncode == 0
        for host, code in (("flowlatch.example", 200), ("evil.example", 400)):
            answer = httpx.get(f"http://127.0.0.1:{port}/health", headers={"Host": host}, trust_env=False)
            assert answer.status_code == code, host


def test_what_the_container_file_copies_is_enough_to_build(tmp_path: Path) -> None:
    for line in steps()["COPY"]:
        *sources, target = line.split()
        for source in sources:
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, tmp_path / (target if copy is shutil.copytree else source))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    assert list((tmp_path / "out").glob("flowlatch-*.whl"))


@pytest.mark.parametrize("line", [line for line in block("sh").splitlines() if "pip install" in line])
def test_the_installation_needs_nothing_that_is_not_locked(line: str) -> None:
    assert line.strip() in block("sh")
    if "--require-hashes" in line:
        lock = (ROOT / line.split()[-1]).read_text("utf-8")
        wanted = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
        assert {"textual", "uvicorn", "hatchling"} <= set(wanted)
        assert lock.count("--hash=sha256:") >= len(wanted)
    else:
        assert "--no-deps --no-build-isolation" in line
    assert line.partition("pip install")[2].split() == next(
        step.split("pip install --no-cache-dir")[1].split()
        for step in steps()["RUN"][0].split("&&")
        if step.split()[-1] == line.split()[-1]
    ), "the same in the container file"
