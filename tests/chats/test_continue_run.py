"""Carrying on a reply that was cut: the same message, another run."""

from __future__ import annotations

import pytest

from app.chats.chat_interface import CONTINUE
from app.chats.request import ChatRequest
from app.chats.sessions import SessionService
from app.core.errors import InvalidRequest, NotFound, SessionBusy
from app.core.messages import text_parts
from app.core.run_errors import UpstreamTimeout
from app.runs.registry import FoundRun
from app.runs.run import STOPPED, Run
from app.runs.service import RunService
from tests.support.manual import ManualRuntime
from tests.support.scripted import STOP, ScriptedProvider, Step


class Conversation:
    """One session whose replies are cut."""

    def __init__(
        self, sessions: SessionService, scripted: ScriptedProvider, runtime: ManualRuntime
    ) -> None:
        self.sessions = sessions
        self.scripted = scripted
        self.runtime = runtime

    def say(self, *steps: Step, message: str = "Count.") -> Run:
        """Return the run of a reply that says this, to its end."""
        self.scripted.enqueue(*steps)
        request = ChatRequest(
            text_parts(message), session_id="s-1", model="big", system="Be brief."
        )
        return self._to_its_end(self.sessions.start("ann", request).found)

    def carry_on(self, run: Run, *steps: Step) -> Run:
        self.scripted.enqueue(*steps)
        request = ChatRequest(text_parts(""), system="Be brief.")
        return self._to_its_end(self.sessions.continue_run("ann", run.record.id, request))

    def _to_its_end(self, found: FoundRun) -> Run:
        assert found.live is not None
        self.runtime.run()
        return found.live

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.sessions.messages("ann", "s-1")]

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What the model was given last."""
        return [(one.role, one.text) for one in self.scripted.requests[-1].messages]


@pytest.fixture
def talk(
    sessions: SessionService, scripted: ScriptedProvider, runtime: ManualRuntime
) -> Conversation:
    return Conversation(sessions, scripted, runtime)


def test_kept_and_new_text_are_one_message_of_two_runs(
    talk: Conversation, runs: RunService
) -> None:
    first = talk.say("one, ", "two, ", UpstreamTimeout())
    second = talk.carry_on(first, "three.", STOP)

    assert talk.texts == ["Count.", "one, two, three."]
    assert (first.log.text(), second.log.text()) == ("one, two, ", "three.")
    assert first.record.message_id == second.record.message_id
    assert (first.record.status, second.record.status) == ("failed", "completed")
    [_, reply] = talk.sessions.messages("ann", "s-1")
    assert (reply.status, reply.run_id) == ("completed", second.record.id)
    assert runs.find("ann", first.record.id).status == "failed"


def test_model_sees_what_was_kept_and_what_to_do(talk: Conversation) -> None:
    first = talk.say("one, ", UpstreamTimeout())
    talk.carry_on(first, "two.", STOP)

    assert talk.asked == [
        ("system", "Be brief."),
        ("user", "Count."),
        ("assistant", "one, "),
        ("user", CONTINUE),
    ]


def test_without_kept_text_the_message_is_answered_anew(talk: Conversation) -> None:
    first = talk.say(UpstreamTimeout())
    talk.carry_on(first, "one.", STOP)

    assert talk.asked == [("system", "Be brief."), ("user", "Count.")]
    assert talk.texts == ["Count.", "one."]


def test_instruction_is_not_part_of_the_conversation(talk: Conversation) -> None:
    talk.carry_on(talk.say("one, ", UpstreamTimeout()), "two.", STOP)
    talk.say("three.", STOP, message="And?")

    said = [text for _, text in talk.asked]
    assert said == ["Be brief.", "Count.", "one, two.", "And?"]


def test_model_is_that_of_the_run_before(talk: Conversation) -> None:
    second = talk.carry_on(talk.say("one, ", UpstreamTimeout()), "two.", STOP)

    assert (second.record.provider, second.record.model) == ("scripted", "big")
    assert second.request.model == "big"


def test_stopped_reply_is_carried_on(talk: Conversation) -> None:
    def stop() -> None:
        [run] = talk.sessions._runs._registry.going()
        run.end_with(STOPPED)

    first = talk.say("one, ", stop, "never", STOP)
    talk.carry_on(first, "two.", STOP)

    assert talk.texts == ["Count.", "one, two."]


def test_continuation_that_was_cut_is_carried_on(talk: Conversation) -> None:
    second = talk.carry_on(talk.say("one, ", UpstreamTimeout()), "two, ", UpstreamTimeout())
    talk.carry_on(second, "three.", STOP)

    assert talk.texts == ["Count.", "one, two, three."]
    assert talk.asked[-2:] == [("assistant", "one, two, "), ("user", CONTINUE)]


def test_continuation_is_news(talk: Conversation) -> None:
    first = talk.say("one, ", UpstreamTimeout())
    listener = talk.sessions.listen("ann", "s-1")
    second = talk.carry_on(first, "two.", STOP)

    news = listener.next(0)
    assert news and (news.name, news.data["run_id"]) == ("run_started", second.record.id)


def test_completed_reply_is_not_carried_on(talk: Conversation) -> None:
    first = talk.say("one.", STOP)
    with pytest.raises(InvalidRequest) as refused:
        talk.carry_on(first)

    assert set(refused.value.fields) == {"run_id"}
    assert talk.texts == ["Count.", "one."]


def test_reply_that_was_completed_since_is_not_carried_on_again(talk: Conversation) -> None:
    first = talk.say("one, ", UpstreamTimeout())
    talk.carry_on(first, "two.", STOP)
    with pytest.raises(InvalidRequest):
        talk.carry_on(first, "two.", STOP)

    assert talk.texts == ["Count.", "one, two."]


def test_only_the_last_reply_is_carried_on(talk: Conversation) -> None:
    first = talk.say("one, ", UpstreamTimeout())
    talk.say("fine.", STOP, message="Never mind.")
    with pytest.raises(InvalidRequest):
        talk.carry_on(first, "two.", STOP)

    assert talk.texts == ["Count.", "one, ", "Never mind.", "fine."]


def test_reply_under_way_is_not_carried_on(talk: Conversation) -> None:
    first = talk.say("one, ", UpstreamTimeout())
    talk.sessions.start("ann", ChatRequest(text_parts("Next?"), session_id="s-1"))
    with pytest.raises(SessionBusy):
        talk.carry_on(first)


def test_run_under_way_is_not_carried_on(talk: Conversation) -> None:
    found = talk.sessions.start("ann", ChatRequest(text_parts("hi"), session_id="s-1")).found
    with pytest.raises(InvalidRequest):
        talk.sessions.continue_run("ann", found.record.id, ChatRequest(text_parts("")))


def test_foreign_run_is_not_carried_on(talk: Conversation) -> None:
    first = talk.say("one, ", UpstreamTimeout())
    with pytest.raises(NotFound):
        talk.sessions.continue_run("bob", first.record.id, ChatRequest(text_parts("")))
