"""What a store must do, and what it guarantees; the engines are in app/stores.

- A call either does all that it says or raises and changes nothing. What it has returned from
  survives any death of the process, in a store that is not memory.
- Every look-up is for an owner: what is somebody else's answers exactly like what is absent.
- Calls may block and may come from any thread, at most `threads` at a time; a search comes beside
  them, and those of `Immediate` and `Soon` never block and come from the hub.
- The entries of a run are stored in order without a gap, by its own worker only, and nothing after
  its end. A run ends once, whoever brings the end.
- Every method raises StorageUnavailable where the store does not answer or cannot write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from app.core.attachments import Attachment
from app.core.entries import Entry
from app.core.messages import Content, Message
from app.core.runs import RunEnd, RunPause, RunRecord, Turn
from app.core.sessions import ChatSession, Page
from app.core.tools import Answered, Reply, Why
from app.core.usage import CostOf, UsedTokens


class WorkerLost(Exception):
    """This worker was taken for dead and its runs were ended by another; its appends are
    refused."""


class EndedRun(NamedTuple):
    """A run that ends with a batch; `content` is what its reply's message has then."""

    record: RunRecord
    end: RunEnd
    content: Content
    at: float


class PausedRun(NamedTuple):
    """A run that waits from its batch on; `content` is what its reply's message has then."""

    record: RunRecord
    pause: RunPause
    content: Content
    at: float


@dataclass(slots=True)
class Batch:
    """What all runs have new: stored in one transaction, or not at all."""

    entries: list[tuple[str, list[Entry]]] = field(default_factory=list)
    ends: list[EndedRun] = field(default_factory=list)
    pauses: list[PausedRun] = field(default_factory=list)


Put = Callable[[], None]  # puts bytes on the shelf; must not wait
PutBytes = Callable[[str], None]  # sees to it that those of a SHA-256 are on the shelf
Drop = Callable[[str], None]  # takes those of a SHA-256 from it, if they are there


class SessionStore(Protocol):
    """Sessions and their messages, and what was used."""

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        """Store the session unless it is there; return what is stored."""

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        """Return the record, or None."""

    def list_sessions(self, owner: str, page: Page = Page()) -> list[ChatSession]:
        """Return a page of the owner's listed sessions, newest first, whatever its query."""

    def search_sessions(
        self, owner: str, page: Page, given_up: Callable[[], bool]
    ) -> list[ChatSession]:
        """Return a page of those whose title, or a message, says what its query says, however it is
        written; nothing once the search is given up.

        May take long. Comes from a thread of its own, one call at a time, beside all others.
        """

    def update_session(self, owner: str, session_id: str, values: Mapping[str, Any]) -> bool:
        """Set the title or system prompt of a session; False if it is not there."""

    def use_leaf(self, owner: str, session_id: str, leaf_id: str) -> None:
        """Use the branch that ends there. Raises NotFound, and SessionBusy while a run is under
        way."""

    def delete_session(self, owner: str, session_id: str) -> bool:
        """Delete the session with all its messages and runs; False if it was not there."""

    def delete_all(self, owner: str) -> int:
        """Delete the owner's sessions with all that belongs to them; return how many."""

    def delete_old(self, listed_before: float | None, unlisted_before: float) -> int:
        """Delete sessions not used since then, listed ones too unless None; return how many."""

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        """Return the branch in use, oldest first."""

    def read_tree(self, owner: str, session_id: str) -> dict[str, Message]:
        """Return all messages of the session by id, in the order they came."""

    def used_by_day(self, owner: str, since_day: str) -> list[UsedTokens]:
        """Return what the owner used on that day and later: a day, provider and model each."""

    def used_in_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        """Return what the session's runs that have ended used, each by itself."""

    def next_number(self, owner: str) -> int:
        """Return 1, 2, ...: a number that the owner never had."""

    def count_sessions(self) -> int:
        """Return how many sessions are stored."""


class RunStore(Protocol):
    """Runs, from their turn's beginning to their end."""

    def begin_turn(self, turn: Turn) -> list[Message]:
        """Store a turn; return the branch the model is to answer, after the session's own system
        prompt if it has one.

        Of a turn whose caller knows a branch, only what comes after it is read. A run that waits
        in the session is ended first, its open calls being `denied`.
        Raises SessionBusy, AlreadyStarted, IdempotencyConflict, InvalidRequest, NotFound,
        OverCapacity, WorkerLost.
        """

    def append(self, worker_id: str, batch: Batch) -> None:
        """Store the batch. Raises WorkerLost."""

    def find_run(self, owner: str, run_id: str) -> RunRecord | None:
        """Return the record, or None."""

    def going_of(self, owner: str, session_id: str | None = None) -> list[RunRecord]:
        """Return the owner's runs that are under way in any process, all or those of a session;
        those that wait are not."""

    def answer(
        self,
        owner: str,
        run_id: str,
        replies: Sequence[Reply],
        worker_id: str,
        now: float,
        caller: str = "",
        most_running: int = 0,
    ) -> Answered:
        """Take answers to what a run waits for, each once; of what was answered before nothing is
        changed. With the last one the run is that worker's and that caller's, and goes on;
        `most_running` is that of a turn.

        Raises NotFound, OverCapacity, WorkerLost.
        """

    def end_waiting(self, owner: str, run_id: str, why: Why, now: float) -> list[Entry]:
        """End a run that waits: its open calls get a result that says why, and the model is not
        asked again. Return what its log got by it; nothing if it does not wait."""

    def expired(self, now: float, limit: int) -> list[RunRecord]:
        """Return runs that wait for what has expired."""

    def find_key(self, owner: str, key: str, since: float) -> RunRecord | None:
        """Return the run that the owner's idempotency key has started since then, or None."""

    def read_entries(self, run_id: str, after: int = 0) -> list[Entry]:
        """Return the stored entries of a run beyond `after`, in order."""

    def fold(self, ended_before: float, limit: int) -> int:
        """Fold the entries of runs that ended before then (core/entries.py); return how many."""


class WorkerStore(Protocol):
    """The processes that append."""

    def register_worker(self, worker_id: str, now: float) -> None:
        """Note a worker that will append."""

    def other_workers(self, worker_id: str) -> list[str]:
        """Return the workers that are not known to be gone, but this one."""

    def take_over(
        self, worker_id: str, error: dict[str, object], now: float, cost_of: CostOf
    ) -> list[str]:
        """Refuse that worker's appends from now on and end its runs as interrupted; return the
        runs' ids."""


class AttachmentStore(Protocol):
    """Attachments (core/attachments.py): rows here, bytes on a shelf.

    One that a message has named is there for as long as one does; a message that is stored names
    its own in the same transaction. `put` and `drop` are called within a transaction that no other
    of these runs beside, so that bytes and rows go together, whoever has the same bytes.
    """

    def add_attachment(
        self, wanted: Attachment, put: Put, most_bytes: int, reuse: bool = False
    ) -> Attachment:
        """Store the row and `put` its bytes; return what is stored: with `reuse` the owner's own
        of the same bytes and name if there is one, and what its key has stored before.

        Raises TooLarge where the owner's would be more than `most_bytes`, IdempotencyConflict.
        """

    def find_attachment(self, owner: str, attachment_id: str) -> Attachment | None:
        """Return the row, or None."""

    def delete_attachment(self, owner: str, attachment_id: str, drop: Drop) -> None:
        """Delete one that no message names. Raises NotFound, AttachmentInUse."""

    def sweep_attachments(
        self, after: str, limit: int, unused_before: float, drop: Drop
    ) -> str | None:
        """Of the next `limit` rows after that id, delete those that no message names any more, and
        those from before then that none ever named; return where to go on, None at the end."""

    def drop_unknown(self, sha256s: Sequence[str], drop: Drop) -> None:
        """Drop the bytes, of those that are on the shelf, which no row has."""


class Store(SessionStore, RunStore, WorkerStore, AttachmentStore, Protocol):
    """All of it."""

    name: str
    threads: int  # how many may call it at a time
    gathers: bool  # whether a commit is dear enough to wait a moment for more that may go with it

    def set_patience(self, seconds: float) -> None:
        """Let the calls that follow wait that long for another process's lock."""

    def probe(self) -> None:
        """Write something that changes nothing."""

    def tidy(self, now: float) -> None:
        """Do what the engine wants done about once a second."""

    def close(self) -> None:
        """Let go of files and connections."""


@runtime_checkable
class Immediate(Protocol):
    """A store that can also write in the hub, where nobody may wait: an ability, not a duty."""

    def begin_now(self, turn: Turn) -> list[Message] | None:
        """Do what `begin_turn` does; None, and nothing stored, if that cannot be done now."""

    def append_now(self, worker_id: str, batch: Batch) -> bool:
        """Do what `append` does; False, and nothing stored, if that cannot be done now."""


@runtime_checkable
class Soon(Protocol):
    """A store that can write while the hub goes on, without a thread that waits: an ability."""

    def append_soon(self, worker_id: str, batch: Batch, done: Callable[[bool], None]) -> bool:
        """Begin what `append` does, and have `done` called in the hub: with True once it is stored,
        with False where it is not, or nobody knows; `append` is to be called then, which tells.

        One batch at a time. False, and nothing begun, if that cannot be done now.
        """


@runtime_checkable
class CountsHits(Protocol):
    """A store that can count how often somebody comes, for all processes: an ability."""

    def count_hit(self, key: str, most: int, window_s: int) -> tuple[bool, float, int]:
        """Count one more of at most `most` within `window_s` seconds, if there is room; return
        whether there was, when the oldest of those counted came, and how many they are."""


# --- Moving: all that a store has, taken out and put into another --------------------------------


class WholeRun(NamedTuple):
    """A run with its log."""

    record: RunRecord
    entries: Sequence[Entry]


class WholeSession(NamedTuple):
    """A session with all that belongs to it, by time and id, each message after its parent. What
    follows from the rest (the run under way, the count of messages) is not in the record."""

    record: ChatSession
    messages: Sequence[Message]
    runs: Sequence[WholeRun]
    attachments: Sequence[Attachment]  # those that its messages name


class OwnerSums(NamedTuple):
    """What is counted of an owner: the last number given (`next_number`), and what was used."""

    number: int
    used: Sequence[UsedTokens]


class StoredOtherwise(Exception):
    """An id of what is to be put is another's, or has other content."""

    def __init__(self, what: str, which: str) -> None:
        super().__init__(f"{what} {which}")
        self.what = what
        self.which = which


class MovableStore(Protocol):
    """A store whose whole content can be read, and be put into another, session by session.

    Lists are in the order of code points, a page at a time: at most `limit`, after `after`.
    """

    def owners(self, after: str | None, limit: int) -> list[str]:
        """Return those of whom anything is stored."""

    def session_ids(self, owner: str, after: str | None, limit: int) -> list[str]:
        """Return the ids of the owner's sessions, unlisted ones too."""

    def read_whole(self, owner: str, session_id: str) -> WholeSession | None:
        """Return all of a session as one moment has it, or None."""

    def put_whole(
        self, whole: WholeSession, seen_at: float, put: PutBytes, cost_of: CostOf
    ) -> bool:
        """Store all of a session, and `put` what its attachments are, in one transaction; False if
        it is there and the same, folded or not.

        A run under way ends as interrupted, at the time when it was last seen. Raises
        StoredOtherwise, and changes nothing then.
        """

    def read_sums(self, owner: str) -> OwnerSums:
        """Return what is counted of an owner."""

    def put_sums(self, owner: str, sums: OwnerSums) -> bool:
        """Raise what is counted to at least that; False if it was."""
