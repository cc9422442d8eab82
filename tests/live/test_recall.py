"""The commands typed before."""

from __future__ import annotations

import stat
from pathlib import Path

from flowlatch.live.recall import KEPT, Recall


def test_commands_are_kept_once_each_newest_last(tmp_path: Path) -> None:
    path = tmp_path / "state" / "commands.txt"
    recall = Recall(path)
    for text in ("flows", "runs state:failed", "flows", "  ", "a\x1bb"):
        recall.add(text)
    assert Recall(path).lines == ["runs state:failed", "flows"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    recall = Recall(tmp_path / "c")
    for number in range(KEPT + 5):
        recall.add(f"runs {number}")
    assert recall.lines == Recall(tmp_path / "c").lines
    assert (len(recall.lines), recall.lines[0]) == (KEPT, "runs 5")


def test_two_dashboards_do_not_lose_each_others(tmp_path: Path) -> None:
    one, two = Recall(tmp_path / "c"), Recall(tmp_path / "c")
    one.add("flows")
    two.add("agents")
    assert Recall(tmp_path / "c").lines == ["flows", "agents"]


def test_a_place_that_cannot_be_used_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    recall = Recall(tmp_path / "file" / "commands.txt")
    recall.add("flows")
    assert recall.lines == ["flows"]
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x1b[2J\n")
    assert all(line.isprintable() for line in Recall(tmp_path / "binary").lines)
