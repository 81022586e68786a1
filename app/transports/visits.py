"""Who follows a run, in the log: a line when a viewer comes and one when it goes, at DEBUG."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.runs.log import LogReader
from app.runs.registry import FoundRun

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Visit:
    """One viewer's; `ended_by` is set where neither the run's end nor its leaving ended it."""

    ended_by: str = ""


@contextmanager
def visit(transport: str, found: FoundRun, reader: LogReader) -> Iterator[Visit]:
    """Tell of the viewer that reads while the block runs."""
    told = Visit()
    if not log.isEnabledFor(logging.DEBUG):
        yield told
        return
    after, who = reader.after, {"transport": transport, "run_id": found.record.id}
    log.debug("viewer comes", extra={**who, "after": after})
    try:
        yield told
    finally:
        how = told.ended_by or ("the run's end" if reader.done else "leaving")
        seen = {"after": after, "entries": reader.after - after, "ended_by": how}
        log.debug("viewer goes", extra={**who, **seen})
