"""Runs that wait: what they were asked, what for, until when."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, and the index of those that wait."""
    for name in ("asked", "pending"):
        op.add_column("runs", sa.Column(name, sa.JSON(none_as_null=True)))
    op.add_column("runs", sa.Column("waits_until", sa.Float))
    op.create_index(
        "runs_waiting",
        "runs",
        ["waits_until"],
        sqlite_where=sa.text("waits_until IS NOT NULL"),
        postgresql_where=sa.text("waits_until IS NOT NULL"),
    )
