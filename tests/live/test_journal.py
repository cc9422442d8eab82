"""The journal: intent before the act, outcome after, appended only, readable after a crash."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from flowlatch.live.journal import Journal, Side

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def journal(path: Path) -> Journal:
    """A journal with a fixed clock and counted ids."""
    numbers = iter(range(1000))
    return Journal(path, clock=lambda: AT, new_id=lambda: f"id{next(numbers)}")


def test_intent_and_outcome_are_one_entry(tmp_path: Path) -> None:
    kept = journal(tmp_path / "state" / "journal.jsonl")
    before, after = Side(version=7, state="Running"), Side(version=8, state="Failed", message="stuck\x1b[2J")
    entry = kept.begin("set_state", profile="prod", server="http://ops", run_id="r1", before=before, after=after)
    kept.finish(entry, "applied", after=Side(version=8, state="Failed"))
    (found,) = kept.entries()
    assert (found.outcome, found.before, found.at, found.finished_at) == ("applied", before, AT, AT)
    assert found.after == Side(version=8, state="Failed")


def test_the_intent_is_on_disk_before_the_act(tmp_path: Path) -> None:
    kept = journal(tmp_path / "journal.jsonl")
    kept.begin("delete", run_id="r1")
    (line,) = kept.path.read_text("ascii").splitlines()
    assert json.loads(line)["kind"] == "intent"
    assert kept.entries()[0].outcome == ""


def test_newest_first_and_limited(tmp_path: Path) -> None:
    kept = journal(tmp_path / "journal.jsonl")
    for number in range(5):
        kept.begin("cancel", run_id=f"r{number}")
    assert [entry.run_id for entry in kept.entries(limit=2)] == ["r4", "r3"]


def test_is_private_and_append_only(tmp_path: Path) -> None:
    kept = journal(tmp_path / "journal.jsonl")
    first = kept.begin("cancel")
    before = kept.path.read_bytes()
    kept.finish(first, "applied")
    assert kept.path.read_bytes().startswith(before)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600


def test_a_line_cut_by_a_crash_costs_only_itself(tmp_path: Path) -> None:
    kept = journal(tmp_path / "journal.jsonl")
    kept.begin("cancel", run_id="r1")
    with kept.path.open("ab") as file:
        file.write(b'{"kind":"intent","id":"cut","at":"2026')
    kept.begin("delete", run_id="r2")
    assert [entry.run_id for entry in kept.entries()] == ["r2", "r1"]


def test_garbage_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'\xff\xfe\n[]\n{"kind":"intent"}\n{"kind":"intent","id":"a","at":"never"}\n' + b"[" * 5000)
    kept = journal(path)
    kept.begin("cancel", run_id="r1")
    assert [entry.run_id for entry in kept.entries()] == ["r1"]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = journal(tmp_path / "file" / "journal.jsonl")
    kept.begin("cancel")
    assert kept.problem is not None
    assert "\n" not in kept.problem
    assert kept.entries() == []


def write_many(path: Path, name: str) -> None:
    """Write 200 intents."""
    kept = Journal(path, new_id=iter(f"{name}{number}" for number in range(200)).__next__)
    for _ in range(200):
        kept.begin("cancel", run=name * 50)


def test_two_programs_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    context = get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(Journal(path).entries()) == 400
