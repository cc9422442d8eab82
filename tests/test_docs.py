"""The front page stays true: keys, options, settings and examples are compared with the code, or run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import takewhile
from pathlib import Path

import click
import pytest
from textual.binding import Binding

from flowlatch.config import load_settings
from flowlatch.demo.plan import OUTAGE_RUNS, OUTAGE_TROUBLE
from flowlatch.demo.stage import Stage
from flowlatch.profile import Profile
from flowlatch.ui import keys
from tests.support.server import ServerProcess
from tests.support.sources import ROOT
from tests.support.waiting import eventually

README = (ROOT / "README.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
PORT = "4200"

SECTIONS: dict[str, tuple[Binding, ...]] = {
    "the list": keys.LIST_KEYS,
    "everywhere": (*keys.EVERYWHERE, *keys.ALWAYS),
    "logs and texts": (keys.FOLLOW, keys.WRAP, keys.LEVEL, keys.SEARCH, keys.NEXT_HIT, keys.PREVIOUS_HIT),
    "forms": (
        keys.SUBMIT,
        keys.NEXT_FIELD,
        keys.EDITOR,
        keys.SEE_CHANGE,
        keys.TAKE_CHANGE,
        keys.COPY_COMMAND,
        keys.CLOSE,
    ),
    "a conflict": (keys.TAKE_THEIRS, keys.KEEP_EDITING, keys.APPLY_MINE, keys.COMPARE, keys.COPY_REPORT),
}


def key_table() -> str:
    """Return the README's table of keys as it must be."""
    lines = ["| where | key | action | does |", "|---|---|---|---|"]
    for where, bindings in SECTIONS.items():
        tabs = [binding for binding in bindings if binding in keys.STATE_TABS]
        for binding in bindings:
            if binding in tabs[1:]:
                continue
            shown = ["1", "9"] if binding in tabs else keys.shown_keys(binding)
            written = "`1`–`9`" if binding in tabs else " ".join(f"`{key}`" for key in shown)
            does = "State tabs with live counts" if binding in tabs else binding.tooltip
            action = "`state_tab_1` …" if binding in tabs else f"`{binding.id}`"
            lines.append(f"| {where} | {written} | {action} | {does} |")
            where = ""
    return "\n".join(lines)


def test_the_keys_are_those_of_the_code() -> None:
    found = README.partition("<!-- keys -->")[2].partition("<!-- /keys -->")[0].strip()
    assert found == key_table(), f"between the key markers README.md needs:\n{key_table()}"


def code(mark: str, language: str = "") -> Iterator[tuple[str, str]]:
    """Yield (language, text) of the code blocks right below a mark in a comment."""
    for found in re.finditer(rf"<!-- {mark} -->\n```(\w+)\n(.*?)```", README, re.DOTALL):
        if language in ("", found[1]):
            yield found[1], found[2]


def test_the_settings_are_read_without_a_problem(home: Path) -> None:
    ((_, text),) = code("config")
    (home / "config.toml").write_text(text, "utf-8")
    assert load_settings().problems == []
    assert load_settings().default == "prod"


def test_every_setting_is_explained() -> None:
    ((_, text),) = code("config")
    assert tomllib.loads(text)
    names = [setting.name for setting in fields(Profile) if setting.name != "name"]
    missing = [name for name in names if not re.search(rf"\b{name}\b", text)]
    assert not missing


def commands() -> list[str]:
    """Return every command line of ours in the documents: in code blocks and in `code` of tables and sentences."""
    blocks = [block for text in (README, OPERATIONS) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = re.findall(r"`((?:flowlatch|runs|serve) [^`]+)`", README + OPERATIONS)
    whole = [text if text.startswith("flowlatch") else f"flowlatch {text}" for text in inline]
    alone = (re.split(r" (?:\|\|?|>) |  #", line)[0].strip() for line in [*lines, *whole])
    alone = (re.sub(r'"?\$(?:\w+|\([^)]*\))"?', "3", line) for line in alone)
    return sorted({line for line in alone if line.startswith("flowlatch")})


@pytest.mark.parametrize("line", commands())
def test_every_command_can_be_parsed(line: str) -> None:
    from flowlatch.cli.main import flowlatch

    command: click.Command = flowlatch
    words = shlex.split(line)[1:]
    context = click.Context(command, info_name="flowlatch")
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"{line}: there is no command {words[0]!r}"
        command, words = found, words[1:]
    try:
        command.make_context(command.name or "", words, parent=context)
    except click.UsageError as error:
        pytest.fail(f"{line}: {error.format_message()}")


def run_block(mark: str, directory: Path, env: Mapping[str, str], port: str = PORT) -> subprocess.CompletedProcess[str]:
    """Run the examples with a mark in a shell and return what they print; they must not fail."""
    for tool in ("bash", "curl", "jq"):
        if shutil.which(tool) is None:
            pytest.skip(f"the README's examples DID NOT RUN: they need {tool}")
    bin_directory = directory / "bin"
    bin_directory.mkdir()
    for name, command in (("flowlatch", [sys.executable, "-m", "flowlatch"]), ("python", [sys.executable])):
        script = bin_directory / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', "utf-8")
        script.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(_shell(code(mark))).replace(f":{PORT}", f":{port}")],
        cwd=directory,
        env={**env, "PATH": f"{bin_directory}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_examples_run_as_they_stand(start_server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = start_server()
    (tmp_path / "flowlatch-data").symlink_to(server.data)
    printed = run_block("run", tmp_path, server.env(TZ="UTC"), str(server.port)).stdout
    assert "existing" in printed
    assert "nothing written: it is Success at version 2" in printed
    assert '"createFlowRun"' in printed
    assert '"errors"' not in printed
    assert len(server.wire().data("{ flow_run { id } }")["flow_run"]) == 4


def test_the_morning_goes_as_told_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("FLOWLATCH_ACTOR", "you@here")
    with Stage() as stage:
        assert stage.home.name.startswith("flowlatch-demo-")
        assert "flowlatch-demo-*" in README
        env = {**os.environ, "FLOWLATCH_HOME": str(stage.home)}
        eventually(lambda: is_ready(env), 300, "the demo's yesterday")
        done = run_block("morning", tmp_path, env)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    failed = list(takewhile(lambda line: line[0] != "created", lines))
    assert len(failed) >= OUTAGE_RUNS
    assert [why for _, _, why in failed].count(OUTAGE_TROUBLE) >= OUTAGE_RUNS
    told, changed = lines[len(failed) : len(failed) + 5], lines[len(failed) + 5 :]
    assert [line[0] for line in told] == ["created"] * 3 + ["applied"] * 2
    assert ["exit code 5"] in changed
    assert ["v4 Failed, by mira: told finance"] in changed
    assert [line[:3] for line in changed[-3:]] == [
        ["4", "Failed", "mira"],
        ["5", "Success", "you@here"],
        ["6", "Failed", "you@here"],
    ]
    assert '"VERSION_CONFLICT"' in done.stderr
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text("utf-8").splitlines()]
    by_id = {run["id"]: (run["flow"]["name"], run["state"]) for run in runs}
    retried = {line[3].removeprefix("retry of ") for line in told[:3]}
    assert [by_id[run_id] for run_id in retried] == [("etl-orders", "Failed")] * 3
    assert [by_id[line[1]] for line in told[3:]] == [("nightly-billing", "Cancelled")] * 2


def is_ready(env: Mapping[str, str]) -> bool:
    """Return whether the demo has brought its yesterday, and the runs of its schedule, onto the server."""
    command = [sys.executable, "-m", "flowlatch", "runs", "list", "--json", "--filter"]
    failed, waiting = (
        subprocess.run([*command, text], env=env, capture_output=True, check=False).stdout.count(b"\n")
        for text in re.findall(r"^(?:failed|waiting)='(.*)'$", README, re.MULTILINE)
    )
    return failed >= OUTAGE_RUNS and waiting >= 2


def _shell(blocks: Iterable[tuple[str, str]]) -> Iterator[str]:
    for language, text in blocks:
        yield f"python - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON" if language == "python" else text


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "BENCHMARKS.md"])
def test_links_and_pictures_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert not missing


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\bmake ([a-z ]+?)(?=[`\s,.;:]*(?:$|[`#,.;:]))", README, re.M)))
)
def test_make_knows_every_target_named(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in target.split():
        assert re.search(rf"^{word}:", makefile, re.M), f"make {word}"
