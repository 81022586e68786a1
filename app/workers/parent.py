"""The process that was started, where there are several: it starts them, and looks after them.

It serves nothing itself, and so there is little it could die of. The first process is started
alone: what it finds wrong is said once, and it brings the database up to date for all.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from app.workers.backoff import BackOff
from app.workers.child import Child, how_it_ended

log = logging.getLogger("tandem.parent")
READY_S = 120.0  # how long a process may take until it serves
KILL_AFTER_S = 5.0  # beyond the grace of its replies
LOOK_S = 60.0  # when nothing is due


@dataclass(slots=True)
class Slot:
    """A number, and who has it."""

    child: Child | None = None
    successor: Child | None = None  # is not ready yet
    back_off: BackOff = field(default_factory=BackOff)
    start_at: float | None = None


class Parent:
    """Of the processes 1 to `count`. Times in seconds."""

    def __init__(
        self,
        count: int,
        start: Callable[[int], Child],
        grace_s: float,
        all_ready: Callable[[list[Child]], None],
    ) -> None:
        self._slots = {number: Slot() for number in range(1, count + 1)}
        self._start_one = start
        self._grace_s = grace_s
        self._all_ready = all_ready
        self._alive: dict[Child, float] = {}  # and when they were started
        self._late: dict[Child, float] = {}  # who is killed then
        self._reloading: deque[int] = deque()
        self._signals: list[int] = []
        self._has_begun = self._stopping = False
        self._code = 0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Look after them until all have ended; return the exit code."""
        ours, theirs = socket.socketpair()
        with ours, theirs, self._selector:
            for end in (ours, theirs):
                end.setblocking(False)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, self._note)
            signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
            self._selector.register(ours, selectors.EVENT_READ)
            self._start(1)
            while self._alive or not self._stopping:
                self._wait(ours)
                self._take_signals()
                self._reap()
                self._go_on()
            signal.set_wakeup_fd(-1)
        return self._code

    def _note(self, number: int, frame: object) -> None:
        self._signals.append(number)

    def _wait(self, woken: socket.socket) -> None:
        due = [*self._late.values(), *(slot.start_at or 0.0 for slot in self._slots.values())]
        due = [at for at in due if at]
        wait_s = min(due, default=time.monotonic() + LOOK_S) - time.monotonic()
        for key, _ in self._selector.select(max(0.0, wait_s)):
            if key.data is None:
                woken.recv(1000)
            else:
                self._hear(key.data)

    def _hear(self, child: Child) -> None:
        was_ready = child.ready is not None
        link = child.link
        child.hear()
        if link.fileno() < 0:
            self._selector.unregister(link)
        elif child.ready is not None and not was_ready:
            self._is_ready(child)

    def _take_signals(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
            elif number == signal.SIGHUP and self._has_begun and not self._stopping:
                log.info("reloading, one process after another")
                self._reloading.extend(n for n in self._slots if n not in self._reloading)

    # --- Starting ---

    def _start(self, number: int) -> Child | None:
        slot = self._slots[number]
        slot.start_at = None
        try:
            child = self._start_one(number)
        except OSError as error:
            slot.start_at = time.monotonic() + slot.back_off.after(0.0)
            log.error("a process cannot be started: %s", error.strerror)
            return None
        now = time.monotonic()
        self._alive[child], self._late[child] = now, now + READY_S
        self._selector.register(child.link, selectors.EVENT_READ, child)
        if slot.child is None:
            slot.child = child
        else:
            slot.successor = child
        return child

    def _is_ready(self, child: Child) -> None:
        self._late.pop(child, None)
        if self._stopping:
            return
        slot = self._slots[child.number]
        figures = {"worker": child.number, "pid": child.process.pid}
        if child is slot.successor:
            old, slot.child, slot.successor = slot.child, child, None
            log.info("a process has its successor", extra=figures)
            if old is not None:
                self._let_go(old)
        elif self._has_begun:
            log.info("a process serves again", extra=figures)
        elif child.number == 1:
            for number in self._slots:
                if number > 1:
                    self._start(number)
        children = [slot.child for slot in self._slots.values() if slot.child and slot.child.ready]
        if not self._has_begun and len(children) == len(self._slots):
            self._has_begun = True
            self._all_ready(children)

    def _go_on(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for child, at in list(self._late.items()):
            if at <= now:
                log.error("a process is late and is killed", extra={"worker": child.number})
                self._code = self._code or 1 if self._stopping else self._code
                del self._late[child]
                child.send(signal.SIGKILL)
        if self._stopping:
            return
        for number, slot in self._slots.items():
            if slot.start_at is not None and slot.start_at <= now:
                self._start(number)
        while self._reloading and not any(slot.successor for slot in self._slots.values()):
            number = self._reloading.popleft()
            if self._slots[number].child is not None:  # else one is on its way
                self._start(number)

    # --- Ending ---

    def _stop(self) -> None:
        if self._stopping:
            return
        log.info("stopping")
        self._stopping = True
        self._reloading.clear()
        for child in self._alive:
            child.send(signal.SIGTERM)
            self._late[child] = time.monotonic() + self._grace_s + KILL_AFTER_S

    def _let_go(self, child: Child) -> None:
        child.leave()
        self._late[child] = time.monotonic() + self._grace_s + KILL_AFTER_S

    def _reap(self) -> None:
        for child, since in list(self._alive.items()):
            code = child.process.poll()
            if code is not None:
                if child.link.fileno() >= 0:
                    self._selector.unregister(child.link)
                child.forget()
                del self._alive[child]
                self._late.pop(child, None)
                self._ended(child, code, time.monotonic() - since)

    def _ended(self, child: Child, code: int, lived_s: float) -> None:
        slot = self._slots[child.number]
        if self._stopping:
            return
        if child is not slot.child and child is not slot.successor:
            return  # it was let go
        how = how_it_ended(code)
        figures = {"worker": child.number, "pid": child.process.pid, "how": how}
        if not self._has_begun and child.ready is None:
            log.error("a process ended before it served", extra=figures)
            self._stop()
            self._code = code if code > 0 else 1
        elif child is slot.successor:
            slot.successor = None
            self._reloading.clear()
            log.error("the reload is given up: a new process ended before it served", extra=figures)
        else:
            slot.child = None
            wait_s = slot.back_off.after(lived_s)
            slot.start_at = time.monotonic() + wait_s
            log.error("a process died", extra={**figures, "again_in_s": wait_s})
