"""Who answers and with what: parameters go to those that take them, a model to its provider."""

from __future__ import annotations

from typing import Any

import pytest

from app.chats.placing import AT_LEAF, Place
from app.chats.request import ChatRequest
from app.chats.sessions import SessionService
from app.core.errors import InvalidRequest, UnsupportedParameter
from app.core.messages import ProviderMessage, text_parts
from app.core.runs import NEVER_IGNORED
from app.providers.catalog import ProviderCatalog
from app.runs.ports import Clock
from app.runs.run import Run
from app.stores.memory import MemoryStore
from tests.chats.conftest import make_sessions
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.scripted import ScriptedProvider

VALUES = {"tools": [{"type": "function", "function": {"name": "look"}}]}
PARAMETERS = {"seed": 7, "top_p": 0.5, "stop": ["\n"]}


def start(sessions: SessionService, **fields: Any) -> Run:
    live = sessions.start("ann", ChatRequest(text_parts("hi"), **fields)).found.live
    assert live is not None
    return live


@pytest.mark.parametrize(
    "takes,passed",
    [
        ({"seed", "stop"}, {"seed": 7, "stop": ["\n"]}),
        ({"seed", "top_p", "stop", "n"}, PARAMETERS),
    ],
)
def test_provider_is_given_the_parameters_that_it_takes(
    sessions: SessionService, scripted: ScriptedProvider, takes: set[str], passed: dict[str, Any]
) -> None:
    scripted.parameters = frozenset(takes)

    assert start(sessions, parameters=PARAMETERS).request.parameters == passed


@pytest.mark.parametrize("name", sorted(NEVER_IGNORED))
def test_parameter_that_would_change_the_answer_is_refused(
    sessions: SessionService, scripted: ScriptedProvider, name: str
) -> None:
    scripted.parameters = NEVER_IGNORED - {name} | {"top_p"}
    with pytest.raises(UnsupportedParameter) as refused:
        start(sessions, parameters={"top_p": 1, name: VALUES.get(name, 2)})

    assert refused.value.fields == {name: "not supported"}
    assert refused.value.message == f"The provider scripted does not take `{name}`."
    assert sessions.counts() == {"in_memory": 0, "stored": 0}


@pytest.mark.parametrize("name", sorted(NEVER_IGNORED))
def test_provider_that_takes_it_is_given_it(
    sessions: SessionService, scripted: ScriptedProvider, name: str
) -> None:
    scripted.parameters = frozenset({name})

    asked = {name: VALUES.get(name, 2)}
    assert start(sessions, parameters=asked).request.parameters == asked


# --- models -------------------------------------------------------------------------------------


def provider(name: str, default_model: str) -> ScriptedProvider:
    made = ScriptedProvider()
    made.name, made.default_model = name, default_model
    return made


@pytest.fixture
def several(runtime: ManualRuntime, clock: HandClock) -> SessionService:
    """A service with two providers and the demo; the first is the default."""
    big, small = provider("big", "big-1"), provider("small", "small-1")
    demo = provider("demo", "demo-1")
    catalog = ProviderCatalog({"big": big, "small": small}, {"none": "NONE_KEY"}, demo, "big")
    made: Clock = clock.clock
    return make_sessions(MemoryStore(), runtime, made, catalog)


@pytest.mark.parametrize(
    "asked,answers",
    [
        ({}, ("big", "big-1")),
        ({"model": "small-1"}, ("small", "small-1")),
        ({"model": "demo-1"}, ("demo", "demo-1")),
        ({"model": "big-1"}, ("big", "big-1")),
        ({"model": "else"}, ("big", "else")),
        ({"provider": "small"}, ("small", "small-1")),
        ({"provider": "big", "model": "small-1"}, ("big", "small-1")),
        ({"provider": "small", "model": "else"}, ("small", "else")),
    ],
)
def test_model_of_a_provider_chooses_it(
    several: SessionService, asked: dict[str, str], answers: tuple[str, str]
) -> None:
    run = start(several, **asked)

    assert (run.record.provider, run.record.model) == answers
    assert run.request.model == answers[1]


def test_provider_nobody_knows_is_refused(several: SessionService) -> None:
    with pytest.raises(InvalidRequest) as refused:
        start(several, provider="else", model="small-1")

    assert refused.value.fields == {"provider": "must be one of big, demo, none, small"}


# --- fingerprints -------------------------------------------------------------------------------


PICTURE = {"type": "image", "data": "AA==", "field": "images.0"}
DIFFERENT = [
    ChatRequest(text_parts("hi"), listed=False),
    ChatRequest(text_parts("hi")),
    ChatRequest(text_parts("ho")),
    ChatRequest(text_parts("hi"), session_id="s-1"),
    ChatRequest(text_parts("hi"), model="m"),
    ChatRequest(text_parts("hi"), provider="m"),
    ChatRequest(text_parts("hi"), system="m"),
    ChatRequest(text_parts("hi"), max_tokens=1),
    ChatRequest(text_parts("hi"), temperature=1.5),
    ChatRequest(text_parts("hi"), role="system"),
    ChatRequest(
        text_parts("hi"), listed=False, history=(ProviderMessage("user", text_parts("a")),)
    ),
    ChatRequest(
        text_parts("hi"), listed=False, history=(ProviderMessage("assistant", text_parts("a")),)
    ),
    ChatRequest(
        text_parts("hi"),
        listed=False,
        history=(
            ProviderMessage("user", text_parts("a")),
            ProviderMessage("user", text_parts("a")),
        ),
    ),
    ChatRequest(text_parts("hi"), place=Place("after")),
    ChatRequest(text_parts("hi"), place=Place("edit", "m")),
    ChatRequest(text_parts("hi"), place=Place("edit", "n")),
    ChatRequest(text_parts("hi"), place=Place("regenerate", "m")),
    ChatRequest(text_parts("hi"), parameters={"seed": 1}),
    ChatRequest(text_parts("hi"), parameters={"seed": 2}),
    ChatRequest(text_parts("hi"), parameters={"n": 1}),
    ChatRequest(text_parts("hi"), parameters={"n": 1}, place=Place("edit", "m")),
    ChatRequest((PICTURE,)),
    ChatRequest(({**PICTURE, "data": "BB=="},)),
    ChatRequest(({**PICTURE, "type": "file"},)),
    ChatRequest(({**PICTURE, "name": "a"},)),
    ChatRequest((*text_parts("hi"), PICTURE)),
    ChatRequest(text_parts("hi"), history=(ProviderMessage("user", (PICTURE,)),)),
    ChatRequest(text_parts("hi"), history=(ProviderMessage("user", ({**PICTURE, "data": "B"},)),)),
    ChatRequest(({"type": "attachment", "attachment_id": "a"},)),
    ChatRequest(({"type": "attachment", "attachment_id": "b"},)),
    ChatRequest(text_parts("hi"), server_tools=("a",)),
    ChatRequest(text_parts("hi"), server_tools=("a", "b")),
]


def test_fingerprint_differs_by_all_that_is_asked() -> None:
    assert len({one.fingerprint() for one in DIFFERENT}) == len(DIFFERENT)


def test_fingerprint_does_not_differ_by_the_order_of_parameters() -> None:
    first = ChatRequest(text_parts("hi"), parameters={"a": {"x": 1, "y": 2}, "b": 1})
    second = ChatRequest(text_parts("hi"), parameters={"b": 1, "a": {"y": 2, "x": 1}})

    assert first.fingerprint() == second.fingerprint()


def test_fingerprint_and_weight_do_not_differ_by_where_a_picture_was() -> None:
    elsewhere = ChatRequest(({**PICTURE, "field": "content.7"},))

    assert elsewhere.fingerprint() == ChatRequest((PICTURE,)).fingerprint()
    assert elsewhere.weight() == ChatRequest((PICTURE,)).weight()


@pytest.mark.parametrize("in_history", [False, True])
def test_weight_is_of_all_but_base64(in_history: bool) -> None:
    def weight(part: dict[str, Any]) -> int:
        history = (ProviderMessage("user", (part,)),) if in_history else ()
        return ChatRequest(text_parts("hi") if in_history else (part,), history=history).weight()

    assert weight(PICTURE) == weight({**PICTURE, "data": "A" * 1000})
    assert weight({**PICTURE, "name": "é"}) + 4 == weight({**PICTURE, "name": "é" * 3})
    assert ChatRequest((), options={"a": "b" * 500}).weight() > 500


def test_fingerprint_of_a_plain_request_stays_what_it_was() -> None:
    # It is stored: a request that is sent again after an upgrade is to join its run.
    plain = ChatRequest(text_parts("hi"), place=AT_LEAF, parameters={}, role="user")

    assert plain.fingerprint() == ChatRequest(text_parts("hi")).fingerprint()
    assert ChatRequest(text_parts("hi")).fingerprint() == (
        "5e85fab1b8e2c83a242a4391b980c2d96f1b4bf8473946e615cdedc9b2f66deb"
    )
