"""Calls of tools under way: each in a task of its own, so many at once, each with its time.

A task is killed when its time is over, or when who waits for it goes: a thread cannot be, and what
it still brings is dropped.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import GeneratorType
from typing import Any

from app.core.entries import TOOL_RESULT, TOOL_STARTED, storable
from app.core.errors import new_error_id
from app.core.tools import Call, bounded
from app.runs.ports import ALIVE, STORED, Clock, Piece, PieceStream, Runtime, Task
from app.tools.tool import Caller, Input, Question, Result, Tool, ToolError

log = logging.getLogger(__name__)
LOOK_S = 1.0  # at most between signs of life while tools run
MAX_SOURCES = 50
NOBODY_TO_ANSWER = "It asks a question, and nobody can be asked here: "


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of what runs: how long, how many at once, how large its result may be."""

    timeout_s: float
    at_once: int
    max_result_bytes: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A call that may be run: its tool, and the input that this has checked."""

    call: Call
    tool: Tool
    given: Input


class Running:
    """The calls of one step. `pieces` is to be closed, or read to its end; then `questions` has
    those calls that a person must answer first."""

    def __init__(
        self,
        ready: Sequence[Ready],
        bounds: Bounds,
        runtime: Runtime,
        clock: Clock,
        who: Mapping[str, str],
        may_ask: bool = False,
    ) -> None:
        self.questions: list[tuple[Call, Question]] = []
        self._waiting = deque(ready)
        self._bounds = bounds
        self._runtime = runtime
        self._clock = clock
        self._who = who
        self._may_ask = may_ask
        self._waiter = runtime.new_waiter()
        self._tasks: dict[int, tuple[Ready, Task, float]] = {}  # with the time that each has until
        self._told: deque[tuple[int, bool, dict[str, Any] | Question]] = deque()

    def pieces(self) -> PieceStream:
        """Yield that each call has started, stored before it does; then its results, and signs of
        life."""
        try:
            while self._waiting or self._tasks:
                yield from self._start()
                found = self._results()
                if found:
                    yield found
                elif self._tasks:
                    self._wait()
                    yield self._results() or [(ALIVE, None)]
        finally:
            tasks, self._tasks = self._tasks, {}
            for _, task, _ in tasks.values():
                task.kill()

    def _start(self) -> PieceStream:
        room = self._bounds.at_once - len(self._tasks)
        batch = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        if not batch:
            return
        yield [(TOOL_STARTED, one.call.names) for one in batch]
        yield [(STORED, None)]
        now = self._clock.monotonic()
        for one in batch:
            until = now + self._time_of(one)
            self._tasks[one.call.n] = (one, self._runtime.spawn(self._run, one), until)

    def _run(self, one: Ready) -> None:
        """Run one call, in its task."""
        caller = self._caller(one.call)
        try:
            for output, is_last in _outputs(one.tool.run(one.given, caller)):
                self._tell(one, is_last, _result_of(output, self._bounds.max_result_bytes))
        except ToolError as error:
            self._tell(one, True, {"error": storable(str(error))[:2000]})
        except Question as question:
            self._tell(one, True, question if self._may_ask else _unanswered(question))
        except TimeoutError:
            self._tell(one, True, {"error": "It took too long."})
        except Exception:
            error_id = new_error_id()
            log.exception("tool %s failed", one.tool.name, extra={"error_id": error_id})
            self._tell(one, True, {"error": "The tool failed.", "error_id": error_id})

    def _caller(self, call: Call) -> Caller:
        who = self._who
        caller = Caller(who["owner"], who["session_id"], who["run_id"], call.call_id, self._may_ask)
        asked = call.approval or {}
        if asked.get("kind") != "question":
            return caller
        return replace(caller, answer=call.answer, state=asked.get("state"))

    def _time_of(self, one: Ready) -> float:
        return one.tool.timeout_s or self._bounds.timeout_s

    def _tell(self, one: Ready, is_last: bool, result: dict[str, Any] | Question) -> None:
        self._told.append((one.call.n, is_last, result))
        self._waiter.wake()

    def _results(self) -> list[Piece]:
        """Return what the tasks have told, and the end of those whose time is over."""
        found: list[Piece] = []
        while self._told:
            n, is_last, result = self._told.popleft()
            if n not in self._tasks:
                continue  # its time was over
            one, _, until = self._tasks[n]
            if is_last:
                del self._tasks[n]
            if isinstance(result, Question):
                self.questions.append((one.call, result))
                continue
            more = {"duration_s": self._ran_s(one, until)} if is_last else {"preliminary": True}
            found.append((TOOL_RESULT, {**one.call.names, **result, **more}))
        now = self._clock.monotonic()
        for n, (one, task, until) in list(self._tasks.items()):
            if now >= until:
                del self._tasks[n]
                task.kill()
                error = f"It took longer than {self._time_of(one):g} s and was ended."
                ran_s = self._ran_s(one, until)
                found.append((TOOL_RESULT, {**one.call.names, "error": error, "duration_s": ran_s}))
        return found

    def _ran_s(self, one: Ready, until: float) -> float:
        """Return for how long a call has run, of one that has its time until then."""
        return round(max(0.0, self._clock.monotonic() - until + self._time_of(one)), 3)

    def _wait(self) -> None:
        now = self._clock.monotonic()
        until = min(until for _, _, until in self._tasks.values())
        try:
            with self._runtime.deadline(max(0.0, min(LOOK_S, until - now))):
                self._waiter.wait()
        except TimeoutError:
            pass


def _outputs(returned: Any) -> Iterator[tuple[Any, bool]]:
    """Yield what a tool has returned, or yields, each with whether it is the last: at the end what
    it returns is that, else what came last."""
    if not isinstance(returned, GeneratorType):
        yield returned, True
        return
    output = None
    try:
        while True:
            try:
                output = next(returned)
            except StopIteration as end:
                yield (output if end.value is None else end.value), True
                return
            yield output, False
    finally:
        returned.close()


def _unanswered(question: Question) -> dict[str, Any]:
    return {"error": storable(f"{NOBODY_TO_ANSWER}{question}")[:2000]}


def _result_of(output: Any, max_bytes: int) -> dict[str, Any]:
    """Return what the log has of an output."""
    result = output if isinstance(output, Result) else Result(output)
    said = {"output": bounded(result.output, max_bytes)}
    if not result.sources:
        return said
    return {**said, "sources": [storable(dict(one)) for one in result.sources[:MAX_SOURCES]]}
