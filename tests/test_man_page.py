"""The manual page is that of the commands, is well written for every reader of such pages, and is in the wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from flowlatch.cli.main import flowlatch
from tests.man_page import PAGE, page
from tests.support.sources import ROOT


def leaves(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield the words and the command of everything that can be called, but the dashboard itself."""
    if not isinstance(command, click.Group):
        yield context.command_path, command
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, click.Context(below, info_name=name, parent=context))


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text("ascii") == page(), "write it again: make man"


def test_every_command_and_every_option_is_on_it() -> None:
    text = PAGE.read_text("ascii").replace("\\-", "-")
    for words, command in leaves(flowlatch, click.Context(flowlatch, info_name="flowlatch")):
        name = words.removeprefix("flowlatch ")
        section = text.partition(f'.SS "{name}')[2].partition(".SS")[0]
        assert section, words
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                longest = max(parameter.opts, key=len)
                assert re.search(rf"\\fB(\S+, )?{re.escape(longest)}\b", section), (words, longest)


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("mandoc", ["-T", "lint", "-W", "style"]),
        ("groff", ["-man", "-ww", "-Tutf8", "-z"]),
        ("man", ["--warnings", "--local-file"]),
    ],
)
def test_no_reader_of_manual_pages_complains(tool: str, words: list[str]) -> None:
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run([program, *words, str(PAGE)], capture_output=True, text=True, check=False)
    said = done.stderr + (done.stdout if tool == "mandoc" else "")
    assert (done.returncode, said) == (0, "")
    if tool == "man":
        assert "runs set-state [RUN]... TYPE" in re.sub(r".\x08", "", done.stdout)


def test_the_wheel_puts_it_where_man_looks(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.endswith(".data/data/share/man/man1/flowlatch.1")]
    assert any(name.endswith("flowlatch/server/schema.graphql") for name in names)
