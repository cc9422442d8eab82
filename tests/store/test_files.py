"""The file: made private, recognised, refused, migrated. Source: reliability.md §2."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from flowlatch.store.base import StoreUnusable
from flowlatch.store.sqlite import connection as connections
from flowlatch.store.sqlite import files, migrations
from flowlatch.store.sqlite.migrations import runner
from flowlatch.store.sqlite.store import open_sqlite
from tests.store.world import World

pytestmark = pytest.mark.sqlite

DATABASE = "flowlatch.db"


async def make(directory: Path) -> Path:
    """Return a database with one run in it."""
    world = await World.open(directory)
    await world.run(await world.flow(name="kept"), flow_run_name="kept")
    await world.store.close()
    return directory / DATABASE


async def reason(path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises(StoreUnusable) as refused:
        await open_sqlite(path)
    line = str(refused.value)
    assert str(path) in line
    assert "\n" not in line
    return line


def schema_of(path: Path) -> set[tuple[str, str]]:
    """Return (name, statement) of everything in a database, but Alembic's own table."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {(name, sql) for name, sql in rows if name != "alembic_version"}


async def test_file_is_private_also_when_it_was_not(tmp_path: Path) -> None:
    path = await make(tmp_path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    os.chmod(path, 0o644)
    world = await World.open(tmp_path)
    await world.run()
    assert {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)} == {0o600}
    await world.store.close()


async def test_foreign_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA application_id = 1234")
        connection.execute("PRAGMA user_version = 7")
    before = path.read_bytes()
    line = await reason(path)
    assert "another program" in line
    assert "version 7" in line
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one" * 20, b"x"])
async def test_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert "no SQLite database" in await reason(path)
    assert path.read_bytes() == content


async def test_newer_file_names_both_versions(tmp_path: Path) -> None:
    path = await make(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {files.SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    line = await reason(path)
    assert f"version {files.SCHEMA_VERSION + 1}" in line
    assert f"up to {files.SCHEMA_VERSION}" in line
    assert path.read_bytes() == before


async def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = await make(tmp_path)
    os.truncate(path, os.stat(path).st_size - 3 * 4096)
    before = path.read_bytes()
    assert "damaged" in await reason(path)
    assert path.read_bytes() == before


async def test_damaged_page_is_refused(tmp_path: Path) -> None:
    path = await make(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 5] = os.urandom(4096 * 4)
    path.write_bytes(content)
    assert "damaged" in await reason(path)


async def test_locked_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await make(tmp_path)
    monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in await reason(path)


async def test_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    await reason(tmp_path / "no" / "such" / "directory.db")
    (tmp_path / DATABASE).mkdir()
    with pytest.raises(StoreUnusable, match=DATABASE):
        await open_sqlite(tmp_path)


async def test_log_of_a_killed_server_is_taken_in(tmp_path: Path) -> None:
    world = await World.open(tmp_path)
    run_id = await world.run()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in os.listdir(tmp_path):
        if name.startswith(DATABASE):
            shutil.copy(tmp_path / name, copy / name)  # as it lies on the disk of a machine that lost power now
    await world.store.close()
    again = await World.open(copy)
    assert await again.history(run_id) == [(1, "Scheduled")]
    await again.store.close()


def test_building_and_migrating_lead_to_the_same_schema(tmp_path: Path) -> None:
    built, migrated = tmp_path / "built.db", tmp_path / "migrated.db"
    asyncio.run(_open_and_close(built))
    runner.run(migrated, migrations.revision_of(files.SCHEMA_VERSION), migrations.PLACE)
    assert schema_of(built) == schema_of(migrated)
    for path in (built, migrated):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (files.SCHEMA_VERSION,)
            assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("0001",)]


def test_an_index_that_is_missing_is_made_at_start(tmp_path: Path) -> None:
    path = tmp_path / "built.db"
    asyncio.run(_open_and_close(path))
    before = schema_of(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX flow_run_message")
        connection.execute("DROP INDEX flow_run_change")
    assert schema_of(path) != before
    asyncio.run(_open_and_close(path))
    assert schema_of(path) == before


async def _open_and_close(path: Path) -> None:
    await (await open_sqlite(path)).close()


NEXT = '''"""A migration that tests add: a column, its content, an index, a table."""

import sys

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    run = op.get_bind().exec_driver_sql
    run("ALTER TABLE flow_run ADD COLUMN extra TEXT")
    print("half way", flush=True)
    sys.stdin.readline()
    run("UPDATE flow_run SET extra = name")
    run("CREATE INDEX flow_run_extra ON flow_run (extra)")
    run("CREATE TABLE more (x)")
    run("PRAGMA user_version = 2")
    print("all done", flush=True)
    sys.stdin.readline()
'''
MIGRATE = """
import sys
from pathlib import Path
from flowlatch.store.sqlite import migrations
migrations.upgrade(Path(sys.argv[1]), 1, target=2, place=Path(sys.argv[2]))
print("committed", flush=True)
"""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The migrations of the program with one more."""
    place = tmp_path / "migrations"
    shutil.copytree(migrations.PLACE, place)
    (place / "versions" / "v0002_next.py").write_text(NEXT)
    return place


def start_migration(path: Path, place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", MIGRATE, str(path), str(place)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def state_of(path: Path) -> tuple[int, bool, bool, bool]:
    """Return (user_version, is Alembic at 0002, is the column there, is the table there)."""
    with closing(connections.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        columns = {row[1] for row in connection.execute("PRAGMA table_info(flow_run)")}
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return version, revision == "0002", "extra" in columns, bool(tables)


@pytest.mark.parametrize(("last_word", "is_new"), [("half way", False), ("all done", False), ("committed", True)])
async def test_killed_migration_leaves_the_old_schema_or_the_new_one(
    tmp_path: Path, next_version: Path, last_word: str, is_new: bool
) -> None:
    path = await make(tmp_path)
    process = start_migration(path, next_version)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        while (word := process.stdout.readline().strip()) != last_word:
            assert word, "the migration ended early"
            process.stdin.write("\n")
            process.stdin.flush()
        os.kill(process.pid, signal.SIGKILL)
    assert state_of(path) == ((2, True, True, True) if is_new else (1, False, False, False))
    check_backup(path)


def check_backup(path: Path) -> None:
    """Look that the file as it was before the migration lies whole beside it, for its owner only."""
    backup = migrations.backup_path(path, 1)
    assert stat.S_IMODE(os.stat(backup).st_mode) == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT name FROM flow_run").fetchall() == [("kept",)]


async def test_a_migration_killed_at_any_moment_is_old_or_new(
    tmp_path: Path, next_version: Path, rounds: Callable[[int, int], int]
) -> None:
    """It is begun again on the same file until it is done once, then on a fresh one."""
    chance = random.Random(6)
    path = await make(tmp_path)
    for _ in range(rounds(8, 50)):
        with start_migration(path, next_version) as process:
            assert process.stdin is not None
            process.stdin.write("\n\n")
            process.stdin.flush()
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.3, 1.6))
            process.kill()
        state = state_of(path)
        assert state in ((1, False, False, False), (2, True, True, True))
        if state[0] == 2:
            check_backup(path)
            path.unlink()
            path = await make(tmp_path)


async def test_older_file_is_migrated_when_it_is_opened(
    tmp_path: Path, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await make(tmp_path)
    script = next_version / "versions" / "v0002_next.py"
    script.write_text("\n".join(line for line in NEXT.splitlines() if "stdin" not in line and "print" not in line))
    monkeypatch.setattr(files, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(migrations.upgrade, "__kwdefaults__", {"target": 2, "place": next_version})
    store = await open_sqlite(path)
    assert (await store.read("SELECT extra FROM flow_run", {})).rows == [("kept",)]
    await store.close()
    assert state_of(path) == (2, True, True, True)
    assert not (tmp_path / f"{DATABASE}.schema-1.backup.part").exists()


async def test_migration_without_a_backup_does_not_begin(tmp_path: Path, next_version: Path) -> None:
    path = await make(tmp_path)
    migrations.backup_path(path, 1).mkdir()
    with pytest.raises(StoreUnusable, match="no backup"):
        migrations.upgrade(path, 1, target=2, place=next_version)
    assert state_of(path) == (1, False, False, False)
