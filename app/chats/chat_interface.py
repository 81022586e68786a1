"""One conversation, live: `for text in chat.chat("hello", stream=True): ...`

The history is the store's, and another process may add to it; what is held here of it is only what
need not be read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from app.chats.branch_in_use import BranchInUse
from app.chats.context_window import cost_of, fit
from app.chats.ports import Attachments, Catalog, Toolbox
from app.chats.request import ChatRequest
from app.chats.rules import ChatRules, Filtered, TextFilter, output_tokens
from app.core.attachments import FILE, IMAGE, NAMED
from app.core.entries import END, TEXT, content_of
from app.core.errors import InvalidRequest, UnsupportedParameter
from app.core.messages import (
    SESSION_PROMPT,
    KnownBranch,
    Message,
    ProviderMessage,
    has_others,
    prompt_of,
    text_parts,
    title_of,
)
from app.core.run_errors import RunError
from app.core.runs import NEVER_IGNORED, ProviderRequest, RunRecord, Turn, new_id
from app.core.sessions import ChatSession
from app.core.tools import Answered, Calls
from app.runs.ports import Clock, Provider
from app.runs.registry import FoundRun
from app.runs.run import Run
from app.runs.service import RunService

OF_TOOLS = frozenset({"tool_call", "tool_result", "opaque"})
CONTINUE = (
    "Your last reply was cut off. Go on exactly where it ends, from its very next character; "
    "repeat nothing and do not comment on this."
)


class ChatInterface:
    """One owner's conversation. Thread-safe: what it keeps besides the time of its last use is what
    need not be read again."""

    __slots__ = (
        "owner",
        "session_id",
        "last_used",
        "branch",
        "_catalog",
        "_clock",
        "_rules",
        "_runs",
        "_filter",
        "_toolbox",
        "_attachments",
    )

    def __init__(
        self,
        owner: str,
        session_id: str,
        runs: RunService,
        catalog: Catalog,
        clock: Clock,
        rules: ChatRules,
        text_filter: TextFilter | None = None,
        toolbox: Toolbox | None = None,
        attachments: Attachments | None = None,
    ) -> None:
        self.owner = owner
        self.session_id = session_id
        self.last_used = clock.monotonic()
        self.branch: BranchInUse | None = None  # as the last turn found it
        self._runs = runs
        self._catalog = catalog
        self._clock = clock
        self._rules = rules
        self._filter = text_filter
        self._toolbox = toolbox
        self._attachments = attachments

    def start(self, request: ChatRequest, parent_id: str | None = None) -> Run:
        """Start the run that answers the request; `parent_id` counts where its place is no leaf.

        Raises what RunService.start and the catalog raise, UnsupportedParameter.
        """
        provider = self._catalog.choose(self._provider_name(request))
        check_supported(request, provider)
        self._check_sight(messages_of(request), provider, request)
        self._check_tools(request)
        turn = self._turn(request, provider, parent_id)
        return self._runs.start(
            turn,
            self._around(provider, request, turn.run),
            lambda branch: self._provider_request(request, provider, turn.run.model, branch),
            request.stop_when_unwatched,
        )

    def _check_sight(
        self, messages: Sequence[ProviderMessage], provider: Provider, request: ChatRequest
    ) -> None:
        """Refuse pictures for a model that is known to take none."""
        if not has_others(messages):
            return
        model = request.model or provider.default_model
        shown = needs_of(messages) & {IMAGE, "image_url"}
        if shown and self._catalog.takes_images(provider, model) is False:
            raise UnsupportedParameter(
                f"The model {model} takes no pictures.", fields={min(shown): "not supported"}
            )

    def _check_tools(self, request: ChatRequest) -> None:
        name = request.field_name("tools")
        if request.server_tools:
            if self._toolbox is None:
                raise UnsupportedParameter("There are no tools here.", fields={name: "not here"})
            self._toolbox.check(request.server_tools, name)
        theirs = [one["function"]["name"] for one in request.parameters.get("tools", ())]
        twice = {one for one in theirs if theirs.count(one) > 1} | {*theirs} & {
            *request.server_tools
        }
        if twice:
            raise InvalidRequest({name: f"{min(twice)} is there twice"})

    def _around(
        self, provider: Provider, request: ChatRequest, run: RunRecord, calls: Calls | None = None
    ) -> Provider:
        """Return the provider with what is put around it for this run."""
        if self._attachments is not None:
            sees = partial(self._catalog.takes_images, provider, run.model)
            provider = self._attachments.sending(self.owner, provider, sees)
        if self._filter is not None:
            provider = Filtered(provider, self._filter)
        if self._toolbox is None or not request.has_tools:
            return provider
        who = {"owner": self.owner, "session_id": self.session_id, "run_id": run.id}
        names, calls = request.server_tools, calls or Calls()
        return self._toolbox.loop(provider, names, calls, request.waits, who)

    def go_on(self, done: Answered) -> tuple[Provider, ProviderRequest]:
        """Return who goes on with a run that waited, and what it is asked. Raises what the catalog
        raises."""
        record = done.record
        request = ChatRequest.of_asked(record.asked or {})
        provider = self._catalog.choose(record.provider)
        calls = Calls.of((entry.kind, entry.data) for entry in done.log)
        said = ProviderMessage("assistant", content_of(done.log))
        branch = list(done.branch or ())
        asked = self._provider_request(request, provider, record.model, branch, said)
        return self._around(provider, request, record, calls), asked

    def _provider_name(self, request: ChatRequest) -> str | None:
        if request.provider is None and request.model is not None:
            return self._catalog.provider_of(request.model)
        return request.provider

    def continue_run(self, before: RunRecord, request: ChatRequest) -> Run:
        """Start a run that carries on the kept text of one that did not complete: the same message.

        Raises InvalidRequest unless it is the session's last reply, and what `start` raises.
        """
        provider = self._catalog.choose(before.provider)
        now = self._clock.wall()
        run = replace(self._record(request, provider, before.message_id, now), model=before.model)
        turn = Turn(
            session=ChatSession(self.owner, self.session_id, now, now),
            messages=(),
            reply=Message(before.message_id, "assistant", (), now),
            run=run,
            known=self._known(),
        )
        return self._runs.start(
            turn,
            self._around(provider, request, run),
            lambda branch: _continued(self._provider_request(request, provider, run.model, branch)),
            request.stop_when_unwatched,
        )

    def _provider_request(
        self,
        request: ChatRequest,
        provider: Provider,
        model: str,
        branch: list[Message],
        said: ProviderMessage | None = None,
    ) -> ProviderRequest:
        """Return what a model is asked; `said` is what of the reply there is already."""
        rules, known = self._rules, provider.parameters
        given, costs = self._given(request, branch)
        if said is not None:
            given, costs = [*given, said], [*costs, cost_of(said)]
        fitting = fit(given, rules.context_tokens, costs)
        return ProviderRequest(
            messages=fitting.messages,
            model=model,
            temperature=request.temperature,
            max_tokens=output_tokens(rules, request.max_tokens),
            paced=request.paced,
            parameters={n: v for n, v in self._parameters(request).items() if n in known},
            trimmed=fitting.dropped,
            fall_back_whole=request.fall_back_whole,
        )

    def _parameters(self, request: ChatRequest) -> Mapping[str, Any]:
        given = {**request.hints, **request.parameters}
        if self._toolbox is None or not request.server_tools:
            return given
        tools = self._toolbox.definitions(request.server_tools)
        tools = [*request.parameters.get("tools", ()), *tools]
        if tools:
            return {**given, "tools": tools}
        # The servers of all of them are away; what speaks of tools is refused without any.
        of_tools = {"tools", "tool_choice", "parallel_tool_calls"}
        return {n: v for n, v in given.items() if n not in of_tools}

    def _given(
        self, request: ChatRequest, branch: list[Message]
    ) -> tuple[list[ProviderMessage], list[int]]:
        """Return what the model is given, with what it costs; note the branch for the next turn.

        Kept text of a reply that was stopped or cut belongs to the conversation: the reader saw it.
        """
        session_prompt = None
        if branch and branch[0].id == SESSION_PROMPT:
            session_prompt, branch = branch[0].text, branch[1:]
        self.branch = used = BranchInUse(branch, self.branch)
        prompt = prompt_of(
            request.system, session_prompt, self._rules.system_prompt, used.has_prompt
        )
        if not prompt:
            return used.given, used.costs
        first = ProviderMessage("system", text_parts(prompt))
        return [first, *used.given], [cost_of(first), *used.costs]

    def chat(self, message: str, stream: bool = False) -> str | Iterator[str]:
        """Answer `message`: the whole text, or with `stream` an iterator of its pieces as they
        come.

        Raises RunError when the run fails; what was yielded until then is kept in the conversation.
        """
        run = self.start(ChatRequest(text_parts(message), paced=stream))
        pieces = self._pieces(run)
        return pieces if stream else "".join(pieces)

    def _pieces(self, run: Run) -> Iterator[str]:
        reader = self._runs.follow(FoundRun.of(run))
        while not reader.done:
            entries = reader.read()
            if not entries:
                self._runs.tick()  # without a server nothing else looks at the deadlines
            for entry in entries:
                if entry.kind == TEXT:
                    yield entry.data
                elif entry.kind == END and entry.data["error"]:
                    raise RunError.of_end(entry.data["error"])

    def _turn(self, request: ChatRequest, provider: Provider, parent_id: str | None) -> Turn:
        now = self._clock.wall()
        # The request itself stays as it was sent: its fingerprint has to be that of a second one.
        said = self._said(request, provider) if request.place.has_message else []
        reply = Message(new_id(), "assistant", (), now, status="running")
        return Turn(
            session=ChatSession(
                self.owner,
                self.session_id,
                now,
                now,
                title_of(said[-1].content if said else ()),
                listed=request.listed,
            ),
            messages=tuple(Message(new_id(), one.role, one.content, now) for one in said),
            reply=reply,
            run=self._record(request, provider, reply.id, now),
            at_leaf=request.place.kind == "leaf",
            parent_id=parent_id,
            must_exist=request.must_exist,
            parent_must_exist=request.place.kind in {"under", "after_run"},
            known=self._known(),
        )

    def _said(self, request: ChatRequest, provider: Provider) -> list[ProviderMessage]:
        """Return the messages that are to be stored. Raises what Attachments.taken_in raises."""
        said = messages_of(request)
        if self._attachments is not None and has_others(said):
            names = [f"{request.field_name('history')}.{n}.content" for n in range(len(said) - 1)]
            names.append(request.field_name("message"))
            taken_in = self._attachments.taken_in
            for n, (one, name) in enumerate(zip(said, names, strict=True)):
                content = taken_in(self.owner, one.content, name)
                if content is not one.content:
                    said[n] = replace(one, content=content)
                    check_needs(needs_of([said[n]]) - OF_TOOLS, provider)
                    self._check_sight([said[n]], provider, request)
        return [self._let_in(one) for one in said]

    def _known(self) -> KnownBranch | None:
        return self.branch.known if self.branch is not None else None

    def _let_in(self, said: ProviderMessage) -> ProviderMessage:
        if self._filter is None or said.role != "user":
            return said
        return replace(
            said,
            content=tuple(
                (
                    {**part, "text": self._filter("in", part["text"])}
                    if part["type"] == "text"
                    else part
                )
                for part in said.content
            ),
        )

    def _record(
        self, request: ChatRequest, provider: Provider, message_id: str, now: float
    ) -> RunRecord:
        return RunRecord(
            id=new_id(),
            owner=self.owner,
            session_id=self.session_id,
            message_id=message_id,
            provider=provider.name,
            model=request.model or provider.default_model,
            worker_id=self._runs.worker_id,
            created_at=now,
            dialect=request.dialect,
            status="running",
            idempotency_key=request.idempotency_key,
            request_hash=request.fingerprint() if request.idempotency_key else None,
            asked=request.asked(),
            options=request.options,
            caller=request.caller,
        )


def check_supported(request: ChatRequest, provider: Provider) -> None:
    """Raise UnsupportedParameter for a parameter that the provider would not honour, or a part of a
    message that it has no place for."""
    said = messages_of(request)
    parts = needs_of(said) if has_others(said) else set[str]()
    asked = NEVER_IGNORED.intersection(request.parameters)
    if request.server_tools or parts & {"tool_call", "tool_result"}:
        asked = asked | {"tools"}
    check_needs((parts - OF_TOOLS) | asked, provider)


def messages_of(request: ChatRequest) -> list[ProviderMessage]:
    """Return what a request brings, in its order."""
    return [*request.history, ProviderMessage(request.role, request.content)]


def needs_of(messages: Iterable[ProviderMessage]) -> set[str]:
    """Return which of a provider's abilities the messages' parts need; a file becomes text where
    it has to, and what is named alone is not known yet."""
    parts = (part for message in messages for part in message.content)
    needs = {"image_url" if "url" in part else part["type"] for part in parts}
    return needs - {"text", FILE, NAMED}


def check_needs(names: Iterable[str], provider: Provider) -> None:
    """Raise UnsupportedParameter for the first that the provider has not."""
    for name in sorted(names):
        if name not in provider.parameters:
            raise UnsupportedParameter(
                f"The provider {provider.name} does not take `{name}`.",
                fields={name: "not supported"},
            )


def _continued(request: ProviderRequest) -> ProviderRequest:
    """Ask for the rest. An instruction, since a reply as last message means different things to
    different servers; without kept text there is nothing to carry on, only to answer."""
    if not request.messages or request.messages[-1].role != "assistant":
        return request
    return replace(
        request, messages=(*request.messages, ProviderMessage("user", text_parts(CONTINUE)))
    )
