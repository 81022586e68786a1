"""Whom limits count of a run that is under way."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; the index of runs under way gets it too."""
    op.add_column("runs", sa.Column("caller", sa.Text, nullable=False, server_default=""))
    op.drop_index("runs_going_of_worker", "runs")
    op.create_index(
        "runs_going_of_worker",
        "runs",
        ["worker_id", "caller"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
