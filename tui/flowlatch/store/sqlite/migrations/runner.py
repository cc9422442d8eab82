"""Alembic, told to run every step in one immediate transaction on our own kind of connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.command import upgrade
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from flowlatch.store.sqlite.connection import connect


def run(path: Path, revision: str, place: Path) -> None:
    """Bring the database at `path` to `revision` with the migrations in the directory `place`."""
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # The driver would begin only at the first INSERT and let DDL run outside of the transaction.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    config = Config()
    config.set_main_option("script_location", str(place).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, revision)
