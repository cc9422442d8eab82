"""Drafts on disk: private, whole or not there, found again."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowlatch.live.drafts import Draft, DraftKind, Drafts
from flowlatch.model.run import RunId
from flowlatch.values import validated

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def draft(**more: object) -> Draft:
    """A draft of an edit."""
    values = {"kind": DraftKind.EDIT, "run_id": RunId("r1"), "server_id": "db", "saved_at": AT, **more}
    return validated(Draft, values)


def test_survives_a_restart_exactly(tmp_path: Path) -> None:
    fields = {"message": "a\nb\u202e[red]\x1b", "extra": {"n": [1, None]}}
    kept = draft(fields=fields, base_version=7, is_unknown=True)
    Drafts(tmp_path / "drafts").save(kept)
    assert Drafts(tmp_path / "drafts").all() == [kept]


def test_is_private(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path / "state" / "drafts")
    drafts.save(draft())
    (path,) = drafts.directory.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(drafts.directory.stat().st_mode) == 0o700


def test_saving_again_replaces(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    first = draft()
    drafts.save(first)
    drafts.save(replace(first, title="newer"))
    assert [each.title for each in drafts.all()] == ["newer"]
    assert len(list(tmp_path.iterdir())) == 1


def test_newest_first_and_by_run(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    old, new = draft(), draft(saved_at=AT + timedelta(minutes=1))
    elsewhere = draft(saved_at=AT + timedelta(minutes=2), server_id="other")
    for each in (new, elsewhere, old):
        drafts.save(each)
    assert drafts.all() == [elsewhere, new, old]
    assert drafts.of_run(RunId("r1"), "db") == new
    assert drafts.of_run(RunId("r2"), "db") is None
    assert drafts.count() == 3


def test_discarding(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    kept = draft()
    drafts.save(kept)
    drafts.discard(kept.id)
    drafts.discard(kept.id)
    assert drafts.all() == []
    assert drafts.problem is None


def test_a_save_that_comes_late_revives_nothing(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    kept = draft()
    drafts.discard(kept.id)
    drafts.save(kept)
    assert drafts.all() == []


def test_what_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    kept = draft()
    drafts.save(kept)
    (tmp_path / "broken.json").write_text('{"kind": "edit"')
    (tmp_path / ".half.new").write_text("{")
    assert drafts.all() == [kept]
    assert (tmp_path / "broken.json").exists()


def test_a_crash_while_saving_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts = Drafts(tmp_path)
    kept = draft(title="old")
    drafts.save(kept)

    def crash(source: str, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(KeyboardInterrupt):
        drafts.save(replace(kept, title="new"))
    assert [each.title for each in Drafts(tmp_path).all()] == ["old"]


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    drafts = Drafts(tmp_path / "file" / "drafts")
    drafts.save(draft())
    assert drafts.problem is not None
    assert "\n" not in drafts.problem
    assert drafts.all() == []


def test_an_id_is_never_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        draft(id="../../etc/passwd")
    with pytest.raises(ValueError):
        Drafts(tmp_path).discard("../x")
