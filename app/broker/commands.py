"""Commands to the processes that own runs: each is carried out once, however often it comes, and
answered."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from app.broker.messages import ANSWER, ASK, command_of, command_parts, encoded, receipt_of
from app.broker.outbox import Outbox
from app.core.broker import Stop
from app.core.errors import ChatError
from app.core.runs import Receipt, new_id
from app.runs.ports import Waiter

log = logging.getLogger(__name__)
ANSWER_S = 3.0  # how long an answer is waited for
AGAIN_S = 0.5  # between two tries: a message may be lost
KEPT = 1000  # answers, for questions that come again


class _Asked:
    """A question, and the task that waits for its answer."""

    def __init__(self, waiter: Waiter) -> None:
        self.waiter = waiter
        self.is_answered = False
        self.answer: Any = None
        self.due = 0.0  # when it is asked again, or given up


class Commands:
    """Asked of others, and carried out for them; thread-safe."""

    def __init__(
        self,
        outbox: Outbox,
        our_id: Callable[[], str],
        new_waiter: Callable[[], Waiter],
        spawn: Callable[..., object],
        monotonic: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._our_id = our_id
        self._new_waiter = new_waiter
        self._spawn = spawn
        self._monotonic = monotonic
        self._asked: dict[str, _Asked] = {}
        self._done: OrderedDict[str, bytes | None] = OrderedDict()  # None: it is under way

    def ask(self, worker_id: str, command: Stop) -> Receipt | None:
        """Return the answer; None if none comes, or it could not be done."""
        question = new_id()
        asked = self._asked[question] = _Asked(self._new_waiter())
        message = encoded(ASK, self._our_id(), question, command_parts(command))
        deadline = self._monotonic() + ANSWER_S
        try:
            while not asked.is_answered and self._monotonic() < deadline:
                if self._monotonic() >= asked.due:
                    asked.due = min(deadline, self._monotonic() + AGAIN_S)
                    self._outbox.post(worker_id, message)
                    if asked.is_answered:
                        break
                asked.waiter.wait()
            return receipt_of(asked.answer)
        finally:
            del self._asked[question]

    def wake_due(self) -> None:
        """Wake who has waited long enough to ask again."""
        now = self._monotonic()
        for asked in list(self._asked.values()):
            if asked.due <= now:
                asked.waiter.wake()

    def take_answer(self, question: str, answer: Any) -> None:
        """Take what a worker has answered."""
        asked = self._asked.get(question)
        if asked is not None:
            asked.answer, asked.is_answered = answer, True
            asked.waiter.wake()

    def take_command(
        self, who: str, question: str, parts: list[str], obey: Callable[[Stop], Receipt]
    ) -> None:
        """Carry out a command, in a task of its own; answer one that was carried out again."""
        if question in self._done:
            answer = self._done[question]
            if answer is not None:
                self._outbox.post(who, answer)
            return
        self._done[question] = None
        while len(self._done) > KEPT:
            self._done.popitem(last=False)
        self._spawn(self._carry_out, who, question, command_of(parts), obey)

    def _carry_out(
        self, who: str, question: str, command: Stop, obey: Callable[[Stop], Receipt]
    ) -> None:
        answer = None
        try:
            answer = obey(command).to_json()
        except ChatError:
            """It is not there any more: who asked looks at the record again."""
        except Exception:
            log.exception("a command of another process failed")
        self._done[question] = message = encoded(ANSWER, question, answer)
        self._outbox.post(who, message)
