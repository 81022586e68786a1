"""What runs cost and who failed before, what each day used, a session's own system prompt."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("sessions", sa.Column("system", sa.Text))
    op.add_column("runs", sa.Column("attempts", sa.JSON))
    op.add_column("runs", sa.Column("cost", sa.JSON))
    op.create_table(
        "daily_usage",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("currency", sa.Text, primary_key=True),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("estimated_runs", sa.Integer, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
    )
