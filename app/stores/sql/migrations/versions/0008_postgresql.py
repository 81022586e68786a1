"""What PostgreSQL needs: wide numbers, order by code points, a journal's rows numbered by their
worker, who also says that it lives."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TEXTS = {
    "sessions": ("owner", "id", "title", "leaf_id", "system"),
    "messages": ("id", "owner", "session_id", "parent_id", "role", "status", "run_id"),
    "runs": (
        "id owner session_id message_id provider model dialect worker_id status finish_reason "
        "idempotency_key request_hash"
    ).split(),
    "attachments": ("id", "owner", "name", "media_type", "sha256", "idempotency_key"),
    "message_attachments": ("attachment_id", "message_id"),
    "run_entries": ("run_id", "entries"),
    "numbers": ("owner",),
    "daily_usage": ("owner", "day", "provider", "model", "currency"),
    "workers": ("id",),
}
_WIDE = {
    "numbers": ("last",),
    "daily_usage": ("runs", "input_tokens", "output_tokens", "estimated_runs"),
}


def upgrade() -> None:
    """Add the column; on PostgreSQL, where no older Tandem was, change what is there."""
    op.add_column("workers", sa.Column("seen_at", sa.Float))
    if op.get_context().dialect.name != "postgresql":
        return
    for table, names in _TEXTS.items():
        _alter(table, names, 'TEXT COLLATE "C"')
    for table, names in _WIDE.items():
        _alter(table, names, "BIGINT")
    op.drop_table("journal")
    op.create_table(
        "journal",
        sa.Column("worker_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entries", sa.Text(collation="C"), nullable=False),
    )


def _alter(table: str, names: Sequence[str], kind: str) -> None:
    changes = ", ".join(f'ALTER COLUMN "{name}" TYPE {kind}' for name in names)
    op.execute(f"ALTER TABLE {table} {changes}")
