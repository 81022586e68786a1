"""Calls of tools under way. One that has asked the user something is held until it is answered."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from mcp import types
from mcp.client.session import ClientRequestContext
from mcp.shared.exceptions import MCPError

from app.tools.mcp.child.connection import Away, Connection
from app.tools.mcp.child.questions import (
    CannotAsk,
    forms_of,
    question_of,
    question_of_all,
    responses_of,
    result_of,
)
from app.tools.mcp.child.results import reason, result_json

HOLD_S = 600.0  # how long a call is kept open for the answer to what its server has asked
STATE_PAUSE_S = 0.25  # before a server is asked again that wants nothing but to be asked again
PROGRESS_PAUSE_S = 0.5  # at least between two tellings of how far a call has come
STRAY_S = 30.0  # how long a call that was broken off may still be what its server asks about
MAX_STATE_BYTES = 64_000
WENT = "The MCP server went away during the call: whether it did anything is not known."
NO_MEMORY = "The tool waits for this answer no longer; it would have to be called again."

Tell = Callable[..., None]  # of a number, with fields


class Call:
    """One call. `number` is by whom its outcome is waited for."""

    def __init__(self, message: Mapping[str, Any], tell: Tell, max_bytes: int) -> None:
        self.number: int = message["id"]
        self.held = ""  # by which an answer finds it
        self.task: asyncio.Task[None] | None = None
        self._message = message
        self._tell = tell
        self._max_bytes = max_bytes
        self._answered: asyncio.Future[Mapping[str, Any]] | None = None
        self._patience: asyncio.Timeout | None = None
        self._told_at = 0.0

    async def run(self, connection: Connection) -> None:
        """Call the tool, and tell what becomes of it."""
        try:
            async with asyncio.timeout(self._message["timeout_s"]) as self._patience:
                told = await self._outcome(connection)
        except TimeoutError:
            told = {"error": f"It took longer than {self._message['timeout_s']:g} s and was ended."}
        except Away as away:
            told = {"error": f"The MCP server {connection.server.name} is away: {away}"}
        except CannotAsk as error:
            told = {"error": str(error)}
        except MCPError as error:
            told = {"error": WENT if error.code == types.CONNECTION_CLOSED else reason(error)}
        except Exception as error:
            told = {"error": f"The call failed: {reason(error)}"}
        self._tell(self.number, **told)

    async def _outcome(self, connection: Connection) -> dict[str, Any]:
        try:
            return await self._rounds(connection)
        except MCPError:
            if connection.dropped():
                return await self._rounds(connection)
            raise

    async def _rounds(self, connection: Connection) -> dict[str, Any]:
        """Call, again while the server only asks to be called again."""
        client = await connection.client()
        state = self._message.get("state") or {}
        responses = None
        if "answer" in self._message:
            responses = responses_of(self._message["answer"], state.get("forms") or {})
        passed_on = state.get("state")
        while True:
            result = await client.session.call_tool(
                self._message["tool"],
                self._message["input"],
                progress_callback=self._progress,
                input_responses=responses,
                request_state=passed_on,
                allow_input_required=True,
            )
            if isinstance(result, types.CallToolResult):
                return result_json(result, self._max_bytes)
            if result.input_requests:
                return self._question(result)
            responses, passed_on = None, result.request_state
            await asyncio.sleep(STATE_PAUSE_S)

    def _question(self, result: types.InputRequiredResult) -> dict[str, Any]:
        requests = result.input_requests or {}
        question = question_of_all(requests)
        if not self._message["may_ask"]:
            raise CannotAsk(f"It asks a question, and nobody can be asked: {question['message']}")
        if len((result.request_state or "").encode()) > MAX_STATE_BYTES:
            raise CannotAsk("It wants to keep too much until the user has answered.")
        state = {"forms": forms_of(requests), "state": result.request_state}
        return {"question": {**question, "state": state}}

    async def ask(self, params: types.ElicitRequestParams) -> types.ElicitResult:
        """Ask the user, while the call is under way; its time begins anew with the answer."""
        if not self._message["may_ask"]:
            return types.ElicitResult(action="cancel")
        question = question_of(params)
        self.held = secrets.token_hex(16)
        self._answered = asyncio.get_running_loop().create_future()
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + HOLD_S)
        self._tell(
            self.number, question={**question, "state": {"held": self.held}, "ttl_s": HOLD_S}
        )
        try:
            answer = await self._answered
        finally:
            self.held = ""
        if self._patience is not None:
            until = asyncio.get_running_loop().time() + self._message["timeout_s"]
            self._patience.reschedule(until)
        return result_of(answer, isinstance(params, types.ElicitRequestFormParams))

    def answer(self, number: int, answer: Mapping[str, Any]) -> None:
        """Go on with an answer; `number` waits for the outcome now."""
        self.number = number
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(answer)

    async def _progress(self, progress: float, total: float | None, message: str | None) -> None:
        if self.held or time.monotonic() < self._told_at + PROGRESS_PAUSE_S:
            return
        self._told_at = time.monotonic()
        said = {"progress": progress, "total": total, "message": message}
        self._tell(self.number, progress={n: v for n, v in said.items() if v is not None})


class Calls:
    """Those of one server, over its one connection."""

    def __init__(self, tell: Tell, max_bytes: int) -> None:
        self._tell = tell
        self._max_bytes = max_bytes
        self._calls: set[Call] = set()
        self._strays_until = 0.0

    def start(self, message: Mapping[str, Any], connection: Connection) -> None:
        """Start a call; or go on with the one that is held for the answer in the message."""
        held = (message.get("state") or {}).get("held")
        if held is None:
            call = Call(message, self._tell, self._max_bytes)
            self._calls.add(call)
            call.task = asyncio.create_task(call.run(connection))
            call.task.add_done_callback(lambda _: self._calls.discard(call))
            return
        found = [call for call in self._calls if call.held == held]
        if not found:
            self._tell(message["id"], error=NO_MEMORY)
        for call in found:
            call.answer(message["id"], message["answer"])

    def cancel(self, number: int) -> None:
        """Break off the call that this number waits for; the SDK tells the server."""
        for call in self._calls:
            if call.number == number and not call.held and call.task is not None:
                call.task.cancel()
                self._strays_until = time.monotonic() + STRAY_S

    async def ask(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        """Ask the user of the one call that is under way. A session's server does not say which of
        several it asks about, and nobody is to be shown the questions of another's call."""
        if len(self._calls) != 1 or time.monotonic() < self._strays_until:
            return types.ElicitResult(action="cancel")
        (call,) = self._calls
        try:
            return await call.ask(params)
        except CannotAsk:
            return types.ElicitResult(action="decline")
