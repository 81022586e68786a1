"""One conversation, live: `for text in chat.chat("hello", stream=True): ...`

It holds no history (the store does, and another process may add to it); it is the handle that a
session in use is known by.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.chats.chat_request import ChatRequest
from app.chats.interfaces import Catalog
from app.chats.messages import for_provider, title_from
from app.runs.interfaces import Clock, Provider
from app.runs.records import (
    ChatSession,
    Message,
    ProviderRequest,
    RunRecord,
    Turn,
    new_id,
    text_parts,
)
from app.runs.run import Run
from app.runs.run_errors import error_for_code
from app.runs.run_service import FoundRun, RunService


class ChatInterface:
    """One owner's conversation. Thread-safe: it keeps no state of its own but the time of its last
    use."""

    __slots__ = ("owner", "session_id", "last_used", "_catalog", "_clock", "_runs")

    def __init__(
        self, owner: str, session_id: str, runs: RunService, catalog: Catalog, clock: Clock
    ) -> None:
        self.owner = owner
        self.session_id = session_id
        self.last_used = clock.monotonic()
        self._runs = runs
        self._catalog = catalog
        self._clock = clock

    def start(self, request: ChatRequest) -> Run:
        """Start the run that answers the request. Raises what RunService.start and the catalog
        raise."""
        provider = self._catalog.choose(request.provider)
        turn = self._turn(request, provider)
        return self._runs.start(
            turn,
            provider,
            lambda branch: _provider_request(request, turn.run.model, branch),
            request.caller,
        )

    def chat(self, message: str, stream: bool = False) -> str | Iterator[str]:
        """Answer `message`: the whole text, or with `stream` an iterator of its pieces as they
        come.

        Raises RunError when the run fails; what was yielded until then is kept in the conversation.
        """
        run = self.start(ChatRequest(message, paced=stream))
        pieces = self._pieces(run)
        return pieces if stream else "".join(pieces)

    def _pieces(self, run: Run) -> Iterator[str]:
        reader = self._runs.follow(FoundRun(run.record, run.log, run))
        while not reader.done:
            for entry in reader.read():
                if entry.kind == "text":
                    yield entry.data
                elif entry.kind == "end" and entry.data["error"]:
                    raise error_for_code(entry.data["error"]["code"])

    def _turn(self, request: ChatRequest, provider: Provider) -> Turn:
        now = self._clock.wall()
        run_id = new_id()
        message = Message(new_id(), "user", text_parts(request.message), now)
        reply = Message(new_id(), "assistant", (), now, message.id, "running", run_id)
        return Turn(
            session=ChatSession(self.owner, self.session_id, now, now, title_from(request.message)),
            messages=(message,),
            reply=reply,
            run=RunRecord(
                id=run_id,
                owner=self.owner,
                session_id=self.session_id,
                message_id=reply.id,
                provider=provider.name,
                model=request.model or provider.default_model,
                worker_id=self._runs.worker_id,
                created_at=now,
                dialect=request.dialect,
                status="running",
            ),
        )


def _provider_request(request: ChatRequest, model: str, branch: list[Message]) -> ProviderRequest:
    return ProviderRequest(
        messages=for_provider(branch, request.system),
        model=model,
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        paced=request.paced,
    )
