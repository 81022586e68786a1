"""Whom limits count of a run that is under way; on PostgreSQL, how often somebody came lately."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; the index of runs under way gets it too. Add the table."""
    op.add_column("runs", sa.Column("caller", sa.Text, nullable=False, server_default=""))
    op.drop_index("runs_going_of_worker", "runs")
    op.create_index(
        "runs_going_of_worker",
        "runs",
        ["worker_id", "caller"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    if op.get_context().dialect.name == "postgresql":
        # Unlogged: what a crash of the database takes is a minute's count.
        op.execute("""
            CREATE UNLOGGED TABLE rate_windows (
                key TEXT COLLATE "C" PRIMARY KEY, times DOUBLE PRECISION[] NOT NULL
            )
        """)
