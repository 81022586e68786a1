"""Attachments, and which messages name them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "attachments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("pages", sa.Integer),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("used", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("attachments_of_owner", "attachments", ["owner", "sha256", "size"])
    op.create_index("attachments_of_bytes", "attachments", ["sha256"])
    has_key = sa.text("idempotency_key IS NOT NULL")
    op.create_index(
        "attachments_of_key",
        "attachments",
        ["owner", "idempotency_key"],
        sqlite_where=has_key,
        postgresql_where=has_key,
    )
    op.create_table(
        "message_attachments",
        sa.Column("attachment_id", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachments.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
    )
    op.create_index("attachments_of_message", "message_attachments", ["message_id"])
