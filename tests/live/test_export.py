"""What leaves by a file: exact JSON, harmless CSV, secrets redacted, a new file of one's own."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowlatch.errors import BadInput, Unreachable
from flowlatch.live import export
from flowlatch.live.export import Format
from flowlatch.model.params import redacted
from flowlatch.model.run import FlowRun, LogLine, RunId
from tests.support.hostile import HOSTILE

T0 = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
RUN = FlowRun(
    id=RunId("7c1f0000-0000-4000-8000-00000000e02a"),
    name="amber-lynx",
    flow_name="etl-orders",
    version=9,
    state="Failed",
    state_message="Timeout, at S3",
    state_timestamp=T0,
    labels=["prod", "eu"],
    idempotency_key="nightly",
)


async def text_of(what: export.Export, kind: Format) -> str:
    return "".join([piece async for piece in what.text(kind)])


async def test_json_lines_are_exact() -> None:
    text = await text_of(export.marked_runs([RUN, RUN]), Format.JSON_LINES)
    lines = text.splitlines()
    assert len(lines) == 2
    row = json.loads(lines[0])
    assert list(row) == list(export.RUN_COLUMNS)
    assert row["state_timestamp"] == "2026-11-23T14:00:00.000000+00:00"
    assert (row["version"], row["labels"], row["start_time"]) == (9, ["prod", "eu"], None)
    assert row["idempotency_key"] == "nightly", "a key identifies and is no secret"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_json_lines_keep_any_text_on_one_ascii_line(text: str) -> None:
    run = replace(RUN, name=text, state_message=text)
    written = await text_of(export.marked_runs([run]), Format.JSON_LINES)
    assert written.isascii()
    assert written.count("\n") == 1
    assert json.loads(written)["name"] == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_csv_never_begins_a_cell_like_a_formula(text: str) -> None:
    run = replace(RUN, name=text)
    written = await text_of(export.marked_runs([run]), Format.CSV)
    heading, row = csv.reader(io.StringIO(written, newline=""))
    assert heading == list(export.RUN_COLUMNS)
    assert not row[heading.index("name")].startswith(export.FORMULA)
    written.encode("utf-8")


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_formula_is_quoted(start: str) -> None:
    assert next(csv.reader(io.StringIO(export.csv_text([[start]]), newline=""))) == [f"'{start}"]


def test_numbers_stay_numbers_in_csv() -> None:
    assert export.csv_text([[-5, 1.5, None, True]]) == "-5,1.5,,true\r\n"


def test_secrets_are_redacted_at_any_depth_and_the_value_is_left_alone() -> None:
    value: dict[str, Any] = {"a": [{"db_password": "x", "n": {"api_key": 1, "plain": 2}}], "token": {"deep": 1}}
    assert redacted(value) == {"a": [{"db_password": "***", "n": {"api_key": "***", "plain": 2}}], "token": "***"}
    assert value["a"][0]["db_password"] == "x"
    deep: Any = "end"
    for _ in range(20_000):
        deep = [deep]
    redacted(deep)


def test_the_raw_document_of_a_run_is_redacted() -> None:
    run = replace(RUN, raw={"parameters": {"secret_word": "x", "day": "y"}})
    assert export.run_document(run) == {"parameters": {"secret_word": "***", "day": "y"}}
    assert export.run_document(RUN)["name"] == "amber-lynx"


async def test_a_log_is_written_as_text_with_its_line_feeds_indented() -> None:
    line = LogLine(id="1", timestamp=T0, level="ERROR", name="task", message="one\ntwo\x1b[31m\n")
    text = await text_of(export.logs_of(RUN, [line]), Format.TEXT)
    assert text == "2026-11-23T14:00:00.000000+00:00 ERROR    task: one\n    two␛[31m\n"


async def pieces(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text


async def test_a_new_file_is_only_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    assert await export.write_new(path, pieces("a\n", "ü\n")) == 5
    assert path.read_bytes() == "a\nü\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_is_never_overwritten_nor_followed(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("mine")
    with pytest.raises(BadInput, match="exists; give another name"):
        await export.write_new(path, pieces("a"))
    assert path.read_text() == "mine"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="exists"):
        await export.write_new(link, pieces("a"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["no/such/dir.csv", "a\x00b"])
async def test_a_bad_file_name_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput) as caught:
        await export.write_new(tmp_path / name, pieces("a"))
    assert "\n" not in str(caught.value)
    assert "\x00" not in str(caught.value)


async def test_what_an_interrupted_export_wrote_is_removed(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[str]:
        yield "half"
        raise Unreachable("gone")

    path = tmp_path / "runs.jsonl"
    with pytest.raises(Unreachable):
        await export.write_new(path, broken())
    assert not path.exists()


def test_the_suggested_name_is_free(tmp_path: Path) -> None:
    what = export.marked_runs([RUN])
    first = export.suggested(what, Format.CSV, tmp_path, T0)
    assert first.name == "runs-20261123-140000.csv"
    first.touch()
    assert export.suggested(what, Format.CSV, tmp_path, T0).name == "runs-20261123-140000-2.csv"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_name_of_a_run_leads_out_of_the_directory(tmp_path: Path, text: str) -> None:
    what = export.logs_of(replace(RUN, name=text), [])
    assert export.suggested(what, Format.TEXT, tmp_path, T0).parent == tmp_path


@pytest.mark.parametrize(("number", "said"), [(0, "0 log lines"), (1, "1 log line"), (2, "2 log lines")])
def test_one_is_called_one(number: int, said: str) -> None:
    line = LogLine(timestamp=T0, level="INFO", message="x")
    assert export.logs_of(RUN, [line] * number).title == said
