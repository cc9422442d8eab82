"""The printer: what eyes, pipes and scripts get."""

from __future__ import annotations

import io
import json

import pytest
from rich.cells import cell_len

from flowlatch.cli.output import Column, Output
from flowlatch.text import clean
from tests.support.hostile import HOSTILE

COLUMNS = [Column("STATE", is_state=True), Column("NAME"), Column("VER", right=True), Column("MESSAGE")]


def printer(**options: object) -> tuple[Output, io.StringIO, io.StringIO]:
    """Return a printer and what it wrote to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    return Output(out, err, **options), out, err  # type: ignore[arg-type]


def test_a_pipe_gets_tab_separated_cells_without_heading() -> None:
    output, out, _ = printer()
    output.table(COLUMNS, [("Failed", "a\tb", "v1", None), ("Success", "c", "v10", "x" * 300)])
    assert out.getvalue() == f"Failed\ta b\tv1\t-\nSuccess\tc\tv10\t{'x' * 300}\n"


def test_a_terminal_gets_aligned_columns_cut_to_its_width() -> None:
    output, out, _ = printer(is_terminal=True, width=40)
    output.table(COLUMNS, [("Failed", "日本語", "v1", "y" * 100), ("Success", "c", "v10", "short")])
    head, first, second = out.getvalue().splitlines()
    assert head.startswith("STATE    NAME    VER  MESSAGE")
    assert [cell_len(line[: line.index(mark)]) for line, mark in ((first, "y"), (second, "short"))] == [22, 22]
    assert cell_len(first) == 40
    assert first.endswith("…")


def test_no_column_pushes_the_others_off_the_terminal() -> None:
    output, out, _ = printer(is_terminal=True, width=100)
    output.table(COLUMNS, [("Failed", "n" * 500, "v1", "m" * 500)])
    assert {cell_len(line) for line in out.getvalue().splitlines()[1:]} == {100}


@pytest.mark.parametrize("width", [46, 60, 80])
def test_the_widest_column_gives_way_first_and_an_id_never(width: int) -> None:
    output, out, _ = printer(is_terminal=True, width=width)
    columns = [
        Column("STATE", is_state=True),
        Column("FLOW"),
        Column("RUN"),
        Column("ID", is_whole=True),
        Column("MESSAGE"),
    ]
    output.table(columns, [("Scheduled", "nightly-billing", "dusty-seal", "7c1f0234", "the bucket answers with 403")])
    _, row = out.getvalue().splitlines()
    assert cell_len(row) == min(width, 77)
    assert "Scheduled" in row
    assert "7c1f0234" in row
    cut = [text for text in row.split("  ") if text.endswith("…")]
    assert len({cell_len(text) for text in cut}) <= 2


def test_only_eyes_are_told_that_there_is_nothing() -> None:
    for options, said in (({"is_terminal": True}, "no run matches\n"), ({}, ""), ({"as_json": True}, "")):
        output, out, err = printer(**options)
        output.table(COLUMNS, [], "no run matches")
        assert (out.getvalue(), err.getvalue()) == ("", said)


def test_a_pipe_gets_the_longest_names_whole() -> None:
    output, out, _ = printer(width=20)
    output.table(COLUMNS, [("Failed", "n" * 500, "v1", "m" * 500)])
    assert out.getvalue() == f"Failed\t{'n' * 500}\tv1\t{'m' * 500}\n"


def test_colour_stands_only_on_a_terminal_that_wants_it() -> None:
    for options, is_coloured in (
        ({"is_terminal": True, "has_colour": True}, True),
        ({"is_terminal": True, "has_colour": False}, False),
        ({"is_terminal": False, "has_colour": True}, False),
        ({"is_terminal": True, "has_colour": True, "as_json": True}, False),
    ):
        output, out, _ = printer(**options)
        output.table(COLUMNS, [("Failed", "a", "v1", "m")])
        assert ("\x1b[31mFailed\x1b[0m" in out.getvalue()) is is_coloured, options


def test_no_color_in_the_environment_switches_colour_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert Output.of_process(as_json=False).state("Failed") == "\x1b[31mFailed\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Output.of_process(as_json=False).state("Failed") == "Failed"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_cleaned_in_every_shape(name: str) -> None:
    text = HOSTILE[name]
    output, out, err = printer(is_terminal=True)
    output.table(COLUMNS, [(text, text, text, text)])
    output.fields([("name", text)])
    output.line(text)
    output.block(text)
    output.note(text)
    output.error("CODE", text)
    for line in (out.getvalue() + err.getvalue()).split("\n"):
        assert clean(line, 10_000_000) == line


def test_json_is_exact_and_ascii() -> None:
    output, out, err = printer(as_json=True)
    output.json({"name": "ü\x1b[2J\ud800"})
    output.note("nothing of this")
    output.error("CODE", "märz\nzwei")
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue()) == {"name": "ü\x1b[2J\ud800"}
    assert json.loads(err.getvalue()) == {"error": {"code": "CODE", "message": "märz\nzwei"}}
    assert err.getvalue().count("\n") == 1


def test_fields_keep_their_lines_together() -> None:
    output, out, _ = printer(is_terminal=True)
    output.fields([("id", 1), ("params", "a\nb"), ("none", None)])
    assert out.getvalue() == "id      1\nparams  a\n        b\nnone    -\n"
