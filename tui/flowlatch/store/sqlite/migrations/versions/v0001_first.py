"""The first schema, frozen. Later versions change it step by step; `store.schema` always shows the newest."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table, index and trigger of version 1."""
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split("\n---\n"):
        op.get_bind().exec_driver_sql(statement.strip())
    op.get_bind().exec_driver_sql("PRAGMA user_version = 1")
