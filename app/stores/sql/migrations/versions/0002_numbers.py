"""Conversations that are known by a number."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of last numbers."""
    op.create_table(
        "numbers",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
    )
