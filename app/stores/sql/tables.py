"""The tables, as SQLAlchemy sees them. Migrations build them; a test compares the two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()


def where(condition: str) -> dict[str, Any]:
    """Return what makes an index a partial one, on every engine."""
    return {f"{engine}_where": text(condition) for engine in ("sqlite", "postgresql")}


sessions = Table(
    "sessions",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("leaf_id", Text),
    Column("listed", Boolean, nullable=False),
    Column("system", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("sessions_newest", "owner", "listed", "updated_at"),
)
messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("parent_id", Text),
    Column("role", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("status", Text, nullable=False),
    Column("run_id", Text),
    Column("usage", JSON(none_as_null=True)),
    Column("created_at", Float, nullable=False),
    ForeignKeyConstraint(
        ["owner", "session_id"], ["sessions.owner", "sessions.id"], ondelete="CASCADE"
    ),
    Index("messages_of_session", "owner", "session_id"),
)
runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("finish_reason", Text),
    Column("error", JSON(none_as_null=True)),
    Column("usage", JSON(none_as_null=True)),
    Column("duration_s", Float),
    Column("ttft_s", Float),
    Column("last_seq", Integer, nullable=False),
    Column("idempotency_key", Text),
    Column("request_hash", Text),
    Column("folded", Boolean, nullable=False),
    Column("attempts", JSON(none_as_null=True)),
    Column("cost", JSON(none_as_null=True)),
    Column("asked", JSON(none_as_null=True)),
    Column("pending", JSON(none_as_null=True)),
    Column("waits_until", Float),
    Column("options", JSON(none_as_null=True)),
    Column("caller", Text, nullable=False, server_default=""),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    ForeignKeyConstraint(
        ["owner", "session_id"], ["sessions.owner", "sessions.id"], ondelete="CASCADE"
    ),
    Index("runs_of_session", "owner", "session_id"),
    # One run at a time in a session, whatever the race.
    Index(
        "one_run_going_a_session",
        "owner",
        "session_id",
        unique=True,
        **where("ended_at IS NULL"),
    ),
    Index("runs_going_of_worker", "worker_id", "caller", **where("ended_at IS NULL")),
    Index("runs_waiting", "waits_until", **where("waits_until IS NOT NULL")),
    Index("runs_to_fold", "ended_at", **where("NOT folded")),
    Index(
        "runs_of_key",
        "owner",
        "idempotency_key",
        **where("idempotency_key IS NOT NULL"),
    ),
)
# `used`: a message has named it. What is used and named by none any more is absent.
attachments = Table(
    "attachments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("pages", Integer),
    Column("idempotency_key", Text),
    Column("used", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("attachments_of_owner", "owner", "sha256", "size"),
    Index("attachments_of_bytes", "sha256"),
    Index(
        "attachments_of_key",
        "owner",
        "idempotency_key",
        **where("idempotency_key IS NOT NULL"),
    ),
)
message_attachments = Table(
    "message_attachments",
    metadata,
    Column("attachment_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    ForeignKeyConstraint(["attachment_id"], ["attachments.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
    Index("attachments_of_message", "message_id"),
)
# One row holds consecutive entries: seq is its first, last_seq its last, entries a JSON list of
# [kind, data, at].
run_entries = Table(
    "run_entries",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("last_seq", Integer, nullable=False),
    Column("entries", Text, nullable=False),
    ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
)
# What the commits of the last second or two brought; run_entries may not hold it yet. One row each,
# a JSON list of [run_id, seq, entries], entries as above. SQLite numbers them, for all workers; on
# PostgreSQL each worker numbers its own, and the key is (worker_id, id).
journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("worker_id", Text, nullable=False),
    Column("entries", Text, nullable=False),
)
# The last number that an owner's conversations have got (the prompt dialect knows them by it).
numbers = Table(
    "numbers",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("last", Integer, nullable=False),
)
# What was used, kept when sessions are deleted; a day is UTC's, cost in picos of the currency.
daily_usage = Table(
    "daily_usage",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("runs", Integer, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("estimated_runs", Integer, nullable=False),
    Column("cost", BigInteger, nullable=False),
)
workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("lost_at", Float),
    Column("seen_at", Float),  # by the database's clock, where that tells who lives
)
