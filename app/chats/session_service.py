"""Sessions of an owner: start, create, list, read, delete."""

from __future__ import annotations

from app.chats.chat_request import ChatRequest, check_session_id
from app.chats.interfaces import SessionStore
from app.chats.session_map import SessionMap
from app.runs.errors import NotFound
from app.runs.interfaces import Clock, Runtime
from app.runs.records import ChatSession, Message, new_id
from app.runs.run import Run
from app.runs.run_service import RunService

Messages = list[Message]


class SessionService:
    """The conversations of each owner. Raises NotFound alike for absent and foreign ones."""

    def __init__(
        self,
        store: SessionStore,
        session_map: SessionMap,
        runs: RunService,
        runtime: Runtime,
        clock: Clock,
    ) -> None:
        self._store = store
        self._map = session_map
        self._runs = runs
        self._runtime = runtime
        self._clock = clock

    def start(self, owner: str, request: ChatRequest) -> Run:
        """Start the run that answers the request, in its session or a new one.

        A start that is refused leaves no session behind, stored or in memory. Raises what
        ChatInterface.start raises.
        """
        session_id = request.session_id or new_id()
        is_new = not self._map.holds(owner, session_id)
        try:
            return self._map.open(owner, session_id).start(request)
        except Exception:
            if is_new:
                self._map.forget(owner, session_id)
            raise

    def create(self, owner: str, session_id: str | None = None) -> ChatSession:
        """Store a session (once; an existing one is returned) and return it."""
        now = self._clock.wall()
        wanted = ChatSession(owner, check_session_id(session_id or new_id()), now, now)
        stored: ChatSession = self._runtime.run_blocking(self._store.create_session, wanted)
        return stored

    def get(self, owner: str, session_id: str) -> ChatSession:
        """Return the record."""
        found: ChatSession | None = self._runtime.run_blocking(
            self._store.find_session, owner, session_id
        )
        if found is None:
            raise NotFound()
        return found

    def list(self, owner: str) -> list[ChatSession]:
        """Return the owner's sessions, newest first."""
        found: list[ChatSession] = self._runtime.run_blocking(self._store.list_sessions, owner)
        return found

    def messages(self, owner: str, session_id: str) -> Messages:
        """Return the branch in use, oldest first."""
        self.get(owner, session_id)
        found: Messages = self._runtime.run_blocking(self._store.read_branch, owner, session_id)
        return found

    def delete(self, owner: str, session_id: str) -> None:
        """Stop what runs in the session, then delete it with all that belongs to it."""
        self.get(owner, session_id)
        for run in self._runs.going():
            if (run.record.owner, run.record.session_id) == (owner, session_id):
                self._runs.stop(owner, run.record.id)
        self._runtime.run_blocking(self._store.delete_session, owner, session_id)
        self._runs.forget_session(owner, session_id)
        self._map.forget(owner, session_id)

    def counts(self) -> dict[str, int]:
        """Return how many sessions are in memory and stored."""
        return {
            "in_memory": len(self._map),
            "stored": self._runtime.run_blocking(self._store.count_sessions),
        }
