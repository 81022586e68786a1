"""A run: one provider driven into one log, which always gets exactly one `end`.

Whoever claims the end first writes it: the provider that finished or failed, a stop, a deadline, a
shutdown. Everybody else finds it claimed and does nothing. The task that drives makes no store
call, so it can be killed anywhere; it hands pieces and the end to the committer.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.entries import (
    KINDS,
    STEP_END,
    TEXT,
    TOOL_RESULT,
    Entry,
    cut,
    is_pause,
    output_beside_reply,
)
from app.core.messages import Content, has_content, text_of
from app.core.run_errors import (
    RunError,
    RunInternalError,
    RunInterrupted,
    UpstreamIncomplete,
    UpstreamTooLarge,
)
from app.core.runs import Attempt, ProviderRequest, RunEnd, RunPause, RunRecord, Status
from app.core.tools import CLIENT, TOOL_KINDS, Calls, Why, closing_pieces
from app.core.usage import Usage
from app.runs.log import RunLog
from app.runs.ports import ALIVE, FINISH, STORED, USAGE, Clock, Lock, Piece, PieceStream, Task

log = logging.getLogger(__name__)


class RunIsOver(BaseException):
    """Unwinds a provider whose run has ended; like a kill, no `except Exception` may hold it up."""


class Sink(Protocol):
    """Where a run's entries go; the committer."""

    def offer(self, run: Run, entries: list[Entry]) -> None:
        """Take entries that are to be stored, then shown."""

    def offer_end(self, run: Run, end: RunEnd, at: float) -> None:
        """Take the end, to be stored after all entries."""

    def offer_pause(self, run: Run, pause: RunPause) -> None:
        """Take what the run waits for; its last entry says so too."""

    def wait_until_stored(self, run: Run, seq: int) -> None:
        """Return once that entry of the run is stored."""

    def give_up_turn(self) -> None:
        """Let the other tasks have their turn if this one has run for long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a run ends: a status with its finish reason, or an error."""

    status: Status
    finish_reason: str
    error: RunError | None = None


_BEFORE_A_STEP = frozenset({TOOL_RESULT, STEP_END})  # after which the model is asked again
# What becomes of calls without a result, by how the run ends.
_CLOSED_AS: dict[str, Why] = {"stopped": "stopped", "interrupted": "unknown"}
COMPLETED_BY = {"stop", "length", "content_filter", "tool_calls"}
STOPPED = Outcome("stopped", "stopped")


def interrupted() -> Outcome:
    """Return the outcome of a run whose server goes away; each has an error id of its own."""
    return Outcome("interrupted", "interrupted", RunInterrupted())


class Run:
    """One model answering one message. Public methods may be called from any task."""

    def __init__(
        self,
        record: RunRecord,
        request: ProviderRequest,
        sink: Sink,
        clock: Clock,
        max_reply_bytes: int,
        caller: str = "",
        max_piece_bytes: int = 16_000,
        log: RunLog | None = None,
    ) -> None:
        """`log` is that of a run that waited and goes on."""
        self.record = record
        self.caller = caller
        self.request = request
        self.log = log or RunLog()
        self.task: Task | None = None
        self.started_at = clock.monotonic() - (record.duration_s or 0.0)
        self.first_piece_at: float | None = None
        if record.ttft_s is not None:
            self.first_piece_at = self.started_at + record.ttft_s
        self.asked_at = clock.monotonic()  # the model, as far as is known: for this step
        self.has_answered = False  # the model, in this step
        self.finished_at: float | None = None  # by its finish reason, unless it goes on
        self.last_sign_at = -math.inf  # of life: a piece of the reply, or what shows nothing
        self.stopped_in_ms = 0.0
        self.upstream_closed: bool | None = None
        self.error: RunError | None = None  # that it ended with
        self.end_offered = False  # guarded by the sink's lock
        self.first_delta_timeout_s = math.inf  # the service knows
        self.base: Content = ()  # of the message this run carries on
        self.stop_when_unwatched = False
        self.unwatched_since = self.started_at
        self._sink = sink
        self._clock = clock
        self._max_reply_bytes = max_reply_bytes
        self._max_piece_bytes = max_piece_bytes
        self._last_offered = self.log.last_seq
        self._reply_bytes = 0
        self._beside_reply: list[Entry] = []  # no part of the reply; servers count it as output
        self._calls = Calls()
        self._pause: Sequence[dict[str, Any]] = ()  # what the run waits for from here on
        if log is not None:
            self._carry_on(log)
        self._finish_reason: str | None = None
        self._goes_on = False  # said something after its finish reason
        self._usage: Usage | None = None
        self._lock = Lock()
        self._claimed = False  # guarded by _lock
        self._viewers = 0  # guarded by _lock
        self._was_watched = False  # guarded by _lock

    def _carry_on(self, log: RunLog) -> None:
        """Note what was said before the run waited."""
        self._reply_bytes = sum(self._noted(entry) for entry in log.everything())
        self._pause = ()

    @property
    def ending(self) -> bool:
        """Whether somebody has claimed the end."""
        with self._lock:
            return self._claimed

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count a viewer while the block runs."""
        with self._lock:
            self._viewers += 1
            self._was_watched = True
        try:
            yield
        finally:
            with self._lock:
                self._viewers -= 1
                self.unwatched_since = self._clock.monotonic()

    def abandoned(self, now: float, orphan_s: float) -> bool:
        """Whether nobody watches and that is a reason to stop; `orphan_s` 0 means it never is."""
        with self._lock:
            if self._viewers:
                return False
            if self.stop_when_unwatched and self._was_watched:
                return True
            return bool(orphan_s) and now - self.unwatched_since >= orphan_s

    def drive(self, stream: PieceStream) -> None:
        """Read the provider's batches into the log, then end it. Returns when the provider is
        closed."""
        outcome: Outcome | None = None
        if log.isEnabledFor(logging.DEBUG):
            log.debug("model asked", extra=_what_is_asked(self.record, self.request))
        try:
            with closing(stream):
                for batch in stream:
                    self._take(batch)
            if self._pause:
                if self._claim():
                    self._wait()
                return
            outcome = self.completed()
        except RunError as error:
            if isinstance(error, UpstreamIncomplete) and not self._reply_bytes:
                error.message = error.nothing_came  # so nothing was cut off
            outcome = Outcome("failed", "error", error)
        except Exception:
            ours = RunInternalError()
            log.exception("run %s failed inside: %s", self.record.id, ours.error_id)
            outcome = Outcome("failed", "error", ours)
        except RunIsOver:
            pass
        finally:
            if self._claim():
                self._finish(outcome or interrupted())

    def end_with(self, outcome: Outcome) -> bool:
        """End the run from outside: close upstream, then offer the end. False if it is ending
        already."""
        if not self._claim():
            return False
        before = self._clock.monotonic()
        if self.task is not None:
            self.task.kill()
        self.upstream_closed = self.request.upstream.was_closed
        self.stopped_in_ms = round((self._clock.monotonic() - before) * 1000, 3)
        self._finish(outcome)
        return True

    def _claim(self) -> bool:
        with self._lock:
            claimed, self._claimed = self._claimed, True
            return not claimed

    def _take(self, batch: Sequence[Piece]) -> None:
        if self._claimed:
            raise RunIsOver
        at = self._clock.wall()
        finished = self._finish_reason is not None
        entries = []
        for kind, data in batch:
            if kind not in KINDS:
                self._hear(kind, data)
                continue
            self._last_offered += 1
            entries.append(Entry(self._last_offered, kind, data, at))
            if kind == TEXT:
                size = len(data) if data.isascii() else len(data.encode())
            else:
                size = self._noted(entries[-1])
            self._reply_bytes += size
            if size > self._max_piece_bytes and KINDS[kind].is_text:
                entries[-1:] = self._cut(entries[-1])
            if self._reply_bytes > self._max_reply_bytes:
                break  # what a read brought beyond it is not kept
        if not entries:
            if batch:
                self.last_sign_at = self._clock.monotonic()
                self._sink.give_up_turn()
            return
        if self._reply_bytes:  # what is ours, like a retry, is no sign of the model's life
            self.last_sign_at = self._clock.monotonic()
            if self.first_piece_at is None:
                self.first_piece_at = self.last_sign_at
            self.has_answered = True
        if entries[-1].kind in _BEFORE_A_STEP:
            self.asked_at, self.has_answered = self._clock.monotonic(), False
        if finished:
            self._goes_on, self.finished_at = True, None
        self._sink.offer(self, entries)
        if self._reply_bytes > self._max_reply_bytes:
            raise UpstreamTooLarge()
        self._sink.give_up_turn()

    def _hear(self, kind: str, data: Any) -> None:
        """Note a piece that is no entry. Raises RunIsOver, and KeyError for what is no piece."""
        if kind == FINISH:
            self._note_finish(data)
        elif kind == USAGE:
            self._usage = data
        elif kind == STORED:
            self._sink.wait_until_stored(self, self._last_offered)
            if self._claimed:  # what would follow is not to begin any more
                raise RunIsOver
        elif kind != ALIVE:
            raise KeyError(kind)

    def _noted(self, entry: Entry) -> int:
        """Note an entry that is no text; return how many bytes of it count."""
        kind = KINDS[entry.kind]
        if entry.kind in TOOL_KINDS:
            self._calls.add(entry.kind, entry.data)
            if is_pause(entry):
                self._pause = entry.data["requires_action"]
        if not kind.counts:
            return 0
        if kind.part != "text":
            self._beside_reply.append(entry)
        return kind.size(entry.data)

    def _cut(self, entry: Entry) -> list[Entry]:
        """Return a text that is too long for one entry as several, numbered from its own on."""
        parts = enumerate(cut(entry.data, self._max_piece_bytes))
        several = [entry._replace(seq=entry.seq + n, data=part) for n, part in parts]
        self._last_offered = several[-1].seq
        return several

    def _note_finish(self, reason: str) -> None:
        self._finish_reason = reason
        if self.finished_at is None and not self._goes_on:
            self.finished_at = self._clock.monotonic()

    def completed(self) -> Outcome:
        """Return the outcome of a reply with a finish reason. Raises UpstreamIncomplete without."""
        if self._finish_reason is None:
            raise UpstreamIncomplete()
        reason = self._finish_reason if self._finish_reason in COMPLETED_BY else "stop"
        return Outcome("completed", reason)

    def _wait(self) -> None:
        """End here for now: the run waits for what its last entry says."""
        now, answered = self._clock.monotonic(), self._answered()
        self._sink.offer_pause(
            self,
            RunPause(
                pending=self._pause,
                usage=self._usage or Usage(0, 0, "estimated"),
                duration_s=round(now - self.started_at, 6),
                ttft_s=self._ttft_s(),
                provider=answered.provider,
                model=answered.model,
            ),
        )

    def _ttft_s(self) -> float | None:
        first = self.first_piece_at
        return None if first is None else round(first - self.started_at, 6)

    def _close_calls(self, outcome: Outcome) -> None:
        """Give each call a result, but for those that a client has still to run."""
        open_calls = self._calls.open()
        if outcome.status == "completed":
            open_calls = [one for one in open_calls if not (one.is_whole and one.source == CLIENT)]
        at = self._clock.wall()
        entries: list[Entry] = []
        for kind, data in closing_pieces(open_calls, _CLOSED_AS.get(outcome.status, "stopped")):
            self._last_offered += 1
            entries.append(Entry(self._last_offered, kind, data, at))
        if entries:
            self._sink.offer(self, entries)

    def _finish(self, outcome: Outcome) -> None:
        now = self._clock.monotonic()
        error, answered = outcome.error, self._answered()
        self.error = error
        if len(self._calls):
            self._close_calls(outcome)
        self._sink.offer_end(
            self,
            RunEnd(
                status=outcome.status,
                finish_reason=outcome.finish_reason,
                usage=self._usage or Usage(0, 0, "estimated"),
                duration_s=round(now - self.started_at, 6),
                ttft_s=self._ttft_s(),
                error=None if error is None else error.end_data(),
                provider=answered.provider,
                model=answered.model,
                attempts=tuple(one.to_json() for one in self.request.attempts if one.code),
                trimmed=self.request.trimmed,
                left_out=tuple(dict.fromkeys(self.request.left_out)),
            ),
            self._clock.wall(),
        )

    def _answered(self) -> Attempt:
        """Return who answered, or failing that whom the request was for."""
        attempts = self.request.attempts
        if attempts and attempts[-1].code is None:
            return attempts[-1]
        return Attempt(self.record.provider, self.record.model)

    def usage_of(self, content: Content) -> Usage:
        """Return the reported usage, or an estimate from the prompt and the whole reply. A step
        that did not come to its end is estimated beside what those before it have reported."""
        prompt = "".join(message.text for message in self.request.messages)
        if self._usage is None:
            output = output_beside_reply(self._beside_reply) + text_of(content)
            return Usage.estimated(prompt, output)
        if not self._calls.steps or self._finish_reason is not None or self._pause:
            return self._usage
        results = [n for n, part in enumerate(content) if part["type"] == "tool_result"]
        at = results[-1] + 1 if results else 0
        before, cut = content[:at], content[at:]
        if not has_content(cut):
            return self._usage
        more = Usage.estimated(prompt + text_of(before), text_of(cut))
        tokens = self._usage.input_tokens + more.input_tokens
        return Usage(tokens, self._usage.output_tokens + more.output_tokens, "estimated")


def _what_is_asked(record: RunRecord, request: ProviderRequest) -> dict[str, Any]:
    """Return how much a model is asked; nothing of what is said."""
    return {
        "run_id": record.id,
        "provider": record.provider,
        "model": request.model,
        "messages": len(request.messages),
        "characters": sum(len(message.text) for message in request.messages),
    }
