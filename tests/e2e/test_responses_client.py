"""OpenAI's own client of Responses: streamed, whole, in the background, taken up from every event,
after kill -9 too; cancelled, deleted, chained, parsed; and every other run read as a response."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from pydantic import BaseModel

from tests.support.doors import SECRET, token_of
from tests.support.server import Server
from tests.support.sse import follow_run, stream_chat
from tests.support.upstream import Exchange, in_turn, refuse, say

TOOL = {
    "type": "function",
    "name": "weather",
    "description": "Tell the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
HELLO = {"model": "m", "input": "hi"}


@pytest.fixture
def client() -> Iterator:
    made = []

    def make(server: Server, key: str = "none") -> openai.OpenAI:
        made.append(
            openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=60)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def thinks_and_calls(exchange: Exchange) -> None:
    """Think, speak, and call the tool, each in pieces."""
    exchange.start()
    for thought in ("Hm", "."):
        exchange.event({"choices": [{"index": 0, "delta": {"reasoning_content": thought}}]})
    for text in ("Let me ", "see."):
        exchange.delta(text)
    call = {"index": 0, "id": "call-a", "type": "function"}
    for more in (
        {"name": "weather", "arguments": ""},
        {"arguments": '{"city":'},
        {"arguments": '"Rom"}'},
    ):
        calls = [{**call, "function": more}]
        exchange.event({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]})
    exchange.finish("tool_calls")


def test_a_response_streams_and_comes_whole(server, upstream, client):
    upstream.reply = say(["Hello", " there"])
    sdk = client(server).responses
    with sdk.stream(**HELLO, instructions="Be brief.") as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert streamed.output_text == "Hello there"
    sent = upstream.exchanges[-1].body["messages"]
    assert [one["role"] for one in sent] == ["system", "user"]

    upstream.reply = say(["Hello", " there"])
    whole = sdk.create(**HELLO)
    assert (whole.output_text, whole.status) == ("Hello there", "completed")
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens
    assert sdk.retrieve(whole.id) == whole
    assert sdk.retrieve(streamed.id).output_text == "Hello there"


def test_a_response_in_the_background_is_taken_up_from_every_event(server, upstream, client):
    upstream.reply = thinks_and_calls
    sdk = client(server).responses
    started = sdk.create(**HELLO, tools=[TOOL], background=True)
    assert started.status in {"queued", "in_progress", "completed"}
    told = list(sdk.retrieve(started.id, stream=True))
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert told[1].type == "response.queued"
    for after in range(len(told)):
        rest = list(sdk.retrieve(started.id, stream=True, starting_after=after))
        assert rest == told[after + 1 :]
    response = sdk.retrieve(started.id)
    assert told[-1].response == response
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.output[2].arguments == '{"city":"Rom"}'
    server.kill()
    server.restart()
    sdk = client(server).responses
    assert list(sdk.retrieve(started.id, stream=True, starting_after=3)) == told[4:]
    assert sdk.retrieve(started.id) == response


def test_a_response_that_kill_9_cuts_off_has_failed_once(server, upstream, client):
    def hangs(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("so far")
        exchange.wait_closed(60)

    upstream.reply = hangs
    sdk = client(server).responses
    stream = sdk.create(**HELLO, background=True, stream=True)
    told = []
    for event in stream:
        told.append(event)
        if event.type == "response.output_text.delta":
            break
    server.kill()
    stream.close()
    server.restart()
    sdk = client(server).responses
    response_id = told[0].response.id
    again = list(sdk.retrieve(response_id, stream=True))
    assert again[: len(told)] == told
    assert [event.type for event in again].count("response.failed") == 1
    response = sdk.retrieve(response_id)
    assert (response.status, response.output_text) == ("failed", "so far")
    assert response.error.code == "server_error"
    assert response.output[0].status == "incomplete"
    assert again[-1].response == response


def test_cancelling_is_done_once_and_may_be_asked_twice(server, upstream, client):
    upstream.reply = lambda e: (e.start(), e.delta("one "), e.wait_closed(60))
    sdk = client(server).responses
    stream = sdk.create(**HELLO, background=True, stream=True)
    response_id = next(iter(stream)).response.id
    upstream.wait_for(1)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    first = sdk.cancel(response_id)
    assert (first.status, first.output_text) == ("cancelled", "one ")
    assert sdk.cancel(response_id) == first
    (last,) = [event for event in stream if event.type == "response.incomplete"]
    assert last.response == first
    assert upstream.wait_for(1).closed.wait(30)


def test_who_hangs_up_stops_a_response_that_is_not_in_the_background(server, upstream, client):
    upstream.reply = lambda e: (e.start(), e.delta("one "), e.wait_closed(60))
    stream = client(server).responses.create(**HELLO, stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    stream.close()
    assert upstream.wait_for(1).closed.wait(30)


def test_responses_go_on_from_each_other(server, upstream, client):
    upstream.reply = lambda e: say([f"reply {len(e.body['messages'])}"])(e)
    sdk = client(server).responses
    before, told = None, []
    for turn in range(5):
        response = sdk.create(
            model="m", input=f"message {turn}", previous_response_id=before and before.id
        )
        assert response.previous_response_id == (before and before.id)
        told += [f"message {turn}", response.output_text]
        before = response
    sent = [one["content"] for one in upstream.exchanges[-1].body["messages"]]
    assert sent == told[:-1]
    # Another answer to what was said before: from the middle on.
    other = sdk.create(model="m", input="or else", previous_response_id=before.id)
    again = sdk.create(model="m", input="or this", previous_response_id=before.id)
    assert other.output_text == again.output_text
    (asked,) = sdk.input_items.list(again.id).data
    assert asked.content[0].text == "or this"
    with pytest.raises(openai.ConflictError):
        sdk.delete(again.id)
    with pytest.raises(openai.BadRequestError) as unknown:
        sdk.create(**HELLO, previous_response_id="resp_none")
    assert unknown.value.param == "previous_response_id"


def test_a_round_of_tools_by_the_response_before_and_by_the_items(server, upstream, client):
    sdk = client(server).responses
    asked = {"model": "m", "tools": [TOOL]}
    output = {"type": "function_call_output", "output": "20"}
    upstream.reply = in_turn(thinks_and_calls, say(["Warm."]))
    first = sdk.create(**asked, input="How warm is it?")
    call = first.output[-1]
    second = sdk.create(
        **asked, input=[{**output, "call_id": call.call_id}], previous_response_id=first.id
    )
    assert second.output_text == "Warm."
    by_id = upstream.exchanges[-1].body["messages"]

    upstream.reply = in_turn(thinks_and_calls, say(["Warm."]))
    items = [{"role": "user", "content": "How warm is it?"}]
    held = sdk.create(**asked, input=items, store=False, include=["reasoning.encrypted_content"])
    items += [one.model_dump(exclude_none=True) for one in held.output]
    call = next(one for one in held.output if one.type == "function_call")
    items.append({**output, "call_id": call.call_id})
    last = sdk.create(**asked, input=items, store=False)
    assert last.output_text == "Warm."
    by_items = upstream.exchanges[-1].body["messages"]
    assert [one["role"] for one in by_id] == ["user", "assistant", "tool"]
    assert by_items == by_id

    # Named, instead of sent: what the AI SDK does with items that are stored here.
    named = [{"type": "item_reference", "id": one.id} for one in first.output]
    result = {**output, "call_id": call.call_id}
    sdk.create(**asked, input=[items[0], *named, result], store=False)
    assert upstream.exchanges[-1].body["messages"] == by_id
    other = {"type": "item_reference", "id": f"msg_{'0' * 32}_0"}
    with pytest.raises(openai.BadRequestError) as unknown:
        sdk.create(**asked, input=[items[0], other, items[0]])
    assert unknown.value.param == "input"


def test_a_conversation_has_what_was_said_in_it(server, upstream, client):
    upstream.reply = in_turn(thinks_and_calls, say(["Warm."]))
    sdk = client(server)
    conversation = sdk.conversations.create()
    asked = {"model": "m", "conversation": conversation.id, "tools": [TOOL]}
    called = sdk.responses.create(**asked, input="How warm is it?")
    output = {"type": "function_call_output", "call_id": called.output[-1].call_id}
    sdk.responses.create(**asked, input=[{**output, "output": "20"}])
    assert sdk.conversations.retrieve(conversation.id) == conversation
    items = list(sdk.conversations.items.list(conversation.id, order="asc", limit=2))
    kinds = [item.type for item in items]
    assert kinds == ["message", "function_call", "message", "function_call_output", "message"]
    assert items[-1].content[0].text == "Warm."
    assert sdk.conversations.delete(conversation.id).deleted
    for gone in (sdk.conversations.retrieve, sdk.conversations.items.list):
        with pytest.raises(openai.NotFoundError):
            gone(conversation.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(called.id)


def test_what_is_not_to_be_stored_is_not_listed(server, upstream, client):
    upstream.reply = say(["Hello"])
    sdk = client(server).responses
    hidden = sdk.create(**HELLO, store=False)
    shown = sdk.create(**HELLO, metadata={"a": "b"})
    assert (hidden.to_dict()["store"], shown.metadata) == (False, {"a": "b"})
    listed = {one["session_id"] for one in server.get("/api/chat/sessions").json["sessions"]}
    sessions = {
        each.id: server.get(f"/api/runs/{each.id.removeprefix('resp_')}").json["session_id"]
        for each in (hidden, shown)
    }
    assert sessions[hidden.id] not in listed and sessions[shown.id] in listed
    assert sdk.retrieve(hidden.id).status == "completed"
    sdk.delete(shown.id)
    with pytest.raises(openai.NotFoundError):
        sdk.retrieve(shown.id)


class Weather(BaseModel):
    """What the model is to fill in."""

    city: str
    degrees: int


def test_an_answer_is_parsed(server, upstream, client):
    upstream.reply = say(['{"city":"Rom",', '"degrees":20}'])
    response = client(server).responses.parse(**HELLO, text_format=Weather)
    assert response.output_parsed == Weather(city="Rom", degrees=20)
    form = upstream.exchanges[-1].body["response_format"]
    assert form["json_schema"]["name"] == "Weather" and form["json_schema"]["strict"]


def test_each_dialects_runs_are_read_by_the_others(server, upstream, client):
    upstream.reply = say(["Hello", " there"])
    native = stream_chat(server, "hi", partial=False).rest()[-1].data
    sdk = client(server)
    response = sdk.responses.retrieve(f"resp_{native['run_id']}")
    assert response.output_text == native["full_response"] == "Hello there"
    told = list(sdk.responses.retrieve(response.id, stream=True))
    assert told[-1].response == response

    completion = sdk.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}]
    )
    run_id = completion.id.removeprefix("chatcmpl-")
    assert sdk.responses.retrieve(f"resp_{run_id}").output_text == "Hello there"
    ours = sdk.responses.create(**HELLO)
    events = follow_run(server, ours.id.removeprefix("resp_")).rest()
    assert events[-1].data["full_response"] == "Hello there"


def test_errors_are_the_clients_own(server, start_one, upstream, client):
    sdk = client(server).responses
    image = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.create(model="m", input=image)
    assert refused.value.param == "input.0.content.0.image_url"
    for asked in (sdk.retrieve, sdk.cancel, sdk.delete, sdk.input_items.list):
        with pytest.raises(openai.NotFoundError):
            asked("resp_none")
    upstream.reply = refuse("500 Error")
    with pytest.raises(openai.InternalServerError):
        sdk.create(**HELLO)
    failed = list(sdk.create(**HELLO, stream=True))[-1]
    assert (failed.type, failed.response.error.code) == ("response.failed", "server_error")
    locked = start_one(JWT_SECRET=SECRET)
    with pytest.raises(openai.AuthenticationError):
        client(locked, "wrong").responses.create(**HELLO)
    upstream.reply = say(["Hello"])
    mine = client(locked, token_of("alice")).responses.create(**HELLO)
    with pytest.raises(openai.NotFoundError):
        client(locked, token_of("bob")).responses.retrieve(mine.id)


@pytest.mark.parametrize(
    "query",
    ["stream=true&starting_after=x", "stream=true&starting_after=-1"],
)
def test_a_place_that_is_none_is_refused(server, upstream, client, query):
    upstream.reply = say(["Hello"])
    response = client(server).responses.create(**HELLO)
    answer = server.get(f"/v1/responses/{response.id}?{query}")
    assert answer.status == 400
    assert answer.json["error"]["param"] == "starting_after"
    for query in ("order=up", "limit=0", "limit=x", "after=msg_none"):
        answer = server.get(f"/v1/responses/{response.id}/input_items?{query}")
        assert (answer.status, answer.json["error"]["param"]) == (400, query.partition("=")[0])
