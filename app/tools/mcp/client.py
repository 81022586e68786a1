"""The process that speaks MCP, as those who need it see it: started when it is first needed, and
again when it has ended. Its death is an error to whoever waits for it, and nothing else."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from app.runs.ports import Clock, Runtime
from app.tools.mcp.process import Line, Process
from app.tools.tool import ToolError

log = logging.getLogger(__name__)
SILENCE_S = 30.0  # it shows that it lives each five; then it hangs
END_S = 10.0  # for its servers to end, which takes at most eight
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # between its starts, where it does not live long
GONE = "The process that talks to MCP servers ended; whether the call did anything is not known."
OVER = "The server is stopping."
TOO_LONG = "There was no answer in time."


class Client:
    """Sends what is asked to the process, and brings the answers. `news` gets what nobody asked
    for. Thread-safe."""

    def __init__(
        self,
        setup: Line,
        runtime: Runtime,
        clock: Clock,
        news: Callable[[Line], None],
        silence_s: float = SILENCE_S,
    ) -> None:
        self._setup = setup
        self._runtime = runtime
        self._clock = clock
        self._news = news
        self._silence_s = silence_s
        self._lock = threading.Lock()
        self._process: Process | None = None  # guarded by _lock
        self._is_closed = False  # guarded by _lock
        self._failures = 0
        self._not_before = self._started_at = 0.0
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Answers] = {}

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return self._process.pid if self._process is not None else None

    def ask(self, line: Line, timeout_s: float) -> Generator[Line, None, None]:
        """Yield the answers: those that tell of progress, then the one that counts; who stops
        reading cancels what was asked. Raises ToolError."""
        number = next(self._numbers)
        answers = self._waiting[number] = _Answers(self._runtime, self._clock, timeout_s)
        process = None
        try:
            process = self._running()
            process.send({**line, "id": number})
            while True:
                answer = answers.next()
                if "progress" in answer:
                    yield answer
                    continue
                process = None
                if "error" in answer:
                    raise ToolError(answer["error"])
                yield answer
                return
        finally:
            del self._waiting[number]
            if process is not None:
                process.send({"do": "cancel", "id": number, "server": line["server"]})

    def close(self) -> None:
        """End the process. Nothing can be asked any more."""
        with self._lock:
            self._is_closed = True
            process = self._process
        if process is not None:
            process.end(END_S)

    def _running(self) -> Process:
        """Return the process, started if need be."""
        # The lock is held over the start, which is short: two processes would be two of each
        # server.
        with self._lock:
            if self._is_closed:
                raise ToolError(OVER)
            if self._process is None:
                self._process = self._start()
            return self._process

    def _start(self) -> Process:
        now = self._clock.monotonic()
        if now < self._not_before:
            wait = self._not_before - now
            raise ToolError(
                f"The process that talks to MCP servers ended; it is started again in {wait:.0f} s."
            )
        self._started_at = now
        try:
            return Process(self._setup, self._runtime, self._silence_s, self._take, self._ended)
        except OSError as error:
            self._note_failure()
            log.error("the process for MCP servers cannot be started: %s", error)
            raise ToolError("The process that talks to MCP servers cannot be started.") from None

    def _note_failure(self) -> None:
        """Note that it ended; one that lived for long is started again at once."""
        now = self._clock.monotonic()
        if now - self._started_at > LONGEST_PAUSE_S:
            self._failures = 0
        self._failures += 1
        if self._failures > 1:
            pause = min(FIRST_PAUSE_S * 2 ** min(self._failures - 2, 10), LONGEST_PAUSE_S)
            self._not_before = now + pause

    def _take(self, line: Line) -> None:
        """Take a line of the process's, in its reader."""
        if (number := line.get("id")) is not None:
            answers = self._waiting.get(number)
            if answers is not None:
                answers.put(line)
        elif (said := line.get("log")) is not None:
            level, name, text = said
            log.log(level, "%s: %s", name, text)
        elif line:
            self._news(line)

    def _ended(self) -> None:
        with self._lock:
            self._process = None
            is_closed = self._is_closed
        if not is_closed:
            log.warning("the process for MCP servers ended")
            self._note_failure()
        for answers in list(self._waiting.values()):
            answers.put({"error": OVER if is_closed else GONE})


class _Answers:
    """What has come for one who waits."""

    def __init__(self, runtime: Runtime, clock: Clock, timeout_s: float) -> None:
        self._runtime = runtime
        self._clock = clock
        self._timeout_s = timeout_s
        self._waiter = runtime.new_waiter()
        self._answers: deque[Line] = deque()

    def put(self, answer: Line) -> None:
        """Bring one."""
        self._answers.append(answer)
        self._waiter.wake()

    def next(self) -> Line:
        """Wait for one. Raises ToolError after the time."""
        until = self._clock.monotonic() + self._timeout_s
        while not self._answers:
            left = until - self._clock.monotonic()
            if left <= 0:
                raise ToolError(TOO_LONG)
            try:
                with self._runtime.deadline(left):
                    self._waiter.wait()
            except TimeoutError:
                pass
        return self._answers.popleft()


def last_of(answers: Generator[Line, None, None]) -> dict[str, Any]:
    """Return the answer that counts. Raises ToolError."""
    found: Line = {}
    for found in answers:
        pass
    return dict(found)
