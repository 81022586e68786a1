"""How a run's end is written, whoever brings it: its own process, or the one that takes over."""

from __future__ import annotations

from app.core.messages import Content
from app.core.runs import RunEnd, RunRecord
from app.stores.sql.attachments import name_attachments
from app.stores.sql.driver import Driver, dumped, json_text
from app.stores.sql.rows import run_row, usage_row

_COLUMNS = (
    "status",
    "finish_reason",
    "error",
    "usage",
    "duration_s",
    "ttft_s",
    "provider",
    "model",
    "attempts",
    "cost",
    "ended_at",
)
_END_RUN = f"""
UPDATE runs SET {", ".join(f"{name} = :{name}" for name in _COLUMNS)},
  pending = NULL, waits_until = NULL, caller = '',
  last_seq = (SELECT max(last_seq) FROM run_entries WHERE run_id = runs.id)
WHERE id = :id AND worker_id = :worker_id AND ended_at IS NULL
"""
END_MESSAGE = """
UPDATE messages SET content = :content, status = :status, usage = :usage WHERE id = :message_id
"""
_SUMMED = ("runs", "input_tokens", "output_tokens", "estimated_runs", "cost")
LARGEST = 2**63 - 1  # an integer
_SUMS = ", ".join(
    f"{name} = CASE WHEN daily_usage.{name} > {LARGEST} - excluded.{name} THEN {LARGEST} "
    f"ELSE daily_usage.{name} + excluded.{name} END"
    for name in _SUMMED
)
_ADD_USAGE = f"""
INSERT INTO daily_usage (owner, day, provider, model, currency, {", ".join(_SUMMED)})
VALUES (:owner, :day, :provider, :model, :currency, {", ".join(f":{name}" for name in _SUMMED)})
ON CONFLICT (owner, day, provider, model, currency) DO UPDATE SET {_SUMS}
"""
_TOUCH_SESSION = "UPDATE sessions SET updated_at = :ended_at WHERE owner = :owner AND id = :id"


def end_run(
    driver: Driver, worker_id: str, record: RunRecord, end: RunEnd, content: Content, at: float
) -> None:
    """Write the end of a run, its entries being there; nothing if it is not that worker's or has
    ended."""
    ended = record.ended(end, record.last_seq, at)
    row = dumped(run_row(ended))
    row = {name: row[name] for name in (*_COLUMNS, "id")}
    if not driver.execute(_END_RUN, {**row, "worker_id": worker_id}).rowcount:
        return
    add_usage(driver, ended, at)
    said = {"content": json_text(content), "status": end.status, "usage": row["usage"]}
    driver.execute(END_MESSAGE, {**said, "message_id": record.message_id})
    name_attachments(driver, record.owner, record.message_id, content)
    whose = {"owner": record.owner, "id": record.session_id}
    driver.execute(_TOUCH_SESSION, {**whose, "ended_at": at})


def add_usage(driver: Driver, run: RunRecord, at: float) -> None:
    """Add what a run that ended `at` used to its owner's day."""
    driver.execute(_ADD_USAGE, usage_row(run, at))
