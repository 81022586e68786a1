"""The bytes of OpenAI's Responses, for test_conformance.py and test_golden_calls.py."""

from __future__ import annotations

import json

from app.core.errors import ChatError
from app.dialects.responses.responses import Responses
from tests.dialects.golden import OPEN, At, Golden, escaped
from tests.dialects.speech import TIMED_OUT

IN_PROGRESS, DONE, CUT = "in_progress", "completed", "incomplete"
USAGE = (
    '{"input_tokens":5,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},'
    '"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":7}'
)
MESSAGE = "msg_run-1_0"


def response(status: str, output: str = "", usage: str = "null", error: str = "null") -> str:
    return (
        f'{{"id":"resp_run-1","object":"response","created_at":1700000000,"status":"{status}",'
        f'"background":false,"error":{error},"incomplete_details":null,"instructions":null,'
        '"max_output_tokens":null,"metadata":{},"model":"scripted-1",'
        f'"output":[{output}],"parallel_tool_calls":true,"previous_response_id":null,'
        '"reasoning":{"effort":null,"summary":null},"store":true,"temperature":null,'
        '"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,'
        f'"truncation":"auto","usage":{usage}}}'
    )


def event(kind: str, number: int, said: str) -> str:
    kind = f"response.{kind}"
    return f'event: {kind}\ndata: {{"type":"{kind}","sequence_number":{number},{said}}}\n\n'


def message(status: str, content: str = "") -> str:
    return (
        f'{{"id":"{MESSAGE}","type":"message","status":"{status}","role":"assistant",'
        f'"content":[{content}]}}'
    )


def part(text: str) -> str:
    return f'{{"type":"output_text","text":"{escaped(text)}","annotations":[]}}'


IN_PART = f'"item_id":"{MESSAGE}","output_index":0,"content_index":0'
CREATED = event("created", 0, f'"response":{response(IN_PROGRESS)}')
BEGUN = event("in_progress", 1, f'"response":{response(IN_PROGRESS)}')
ADDED = event("output_item.added", 2, f'"output_index":0,"item":{message(IN_PROGRESS)}')
EMPTY = event("content_part.added", 3, f'{IN_PART},"part":{part("")}')


def piece(at: At) -> str:
    said = f'{IN_PART},"delta":"{escaped(at.text)}","logprobs":[]'
    begun = ADDED + EMPTY if at.first and at.so_far == at.text else ""
    return begun + event("output_text.delta", 3 + at.count, said)


def whole(text: str, number: int, status: str = DONE) -> str:
    """Return the events that end a message, from this number on."""
    return (
        event("output_text.done", number, f'{IN_PART},"text":"{escaped(text)}","logprobs":[]')
        + event("content_part.done", number + 1, f'{IN_PART},"part":{part(text)}')
        + event(
            "output_item.done",
            number + 2,
            f'"output_index":0,"item":{message(status, part(text))}',
        )
    )


def ended(at: At, kind: str, status: str, error: str = "null") -> str:
    item = DONE if status == DONE else CUT
    if not at.count:
        return event(kind, 2, f'"response":{response(status, "", USAGE, error)}')
    output = message(item, part(at.so_far))
    last = response(status, output, USAGE, error)
    number = 4 + at.count
    return whole(at.so_far, number, item) + event(kind, number + 3, f'"response":{last}')


def problem(error: ChatError, sentence: str) -> object:
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    other = "server_error" if error.http_status >= 500 else "invalid_request_error"
    param = min(error.fields) if error.fields else None
    kind = kinds.get(error.http_status, other)
    return {"error": {"message": sentence, "type": kind, "param": param, "code": error.code}}


FAULT = f'{{"code":"server_error","message":"{TIMED_OUT.message}"}}'
HELLO = [At(1, "Hello", "Hello", True), At(2, "Hello there", " there")]
RESPONSES = Golden(
    dialect=Responses(),
    hello=OPEN
    + CREATED
    + BEGUN
    + "".join(map(piece, HELLO))
    + ended(At(2, "Hello there"), "completed", DONE),
    opening=OPEN + CREATED + BEGUN,
    resumed=OPEN,
    piece=piece,
    completed=lambda at: ended(at, "completed", DONE),
    stopped=lambda at: ended(at, "incomplete", "cancelled"),
    failed=lambda at: ended(at, "failed", "failed", FAULT),
    whole=json.loads(response(DONE, message(DONE, part("Hello")), USAGE)),
    problem=problem,
    text_of=lambda event: event.get("delta", "") if "output_text" in event["type"] else "",
    shows=frozenset({"reasoning", "refusal"}),
)

IN_CALL = '"item_id":"fc_run-1_1","output_index":1'


def call(status: str, arguments: str = "") -> str:
    return (
        f'{{"id":"fc_run-1_1","type":"function_call","status":"{status}","call_id":"call_1",'
        f'"name":"weather","arguments":"{arguments}"}}'
    )


ARGUMENTS = r"{\"city\":\"Rom\"}"
WELL = At(1, "Well.", "Well.", True)
CALLED = (
    *(OPEN, CREATED, BEGUN, piece(WELL), whole("Well.", 5)),
    event("output_item.added", 8, f'"output_index":1,"item":{call(IN_PROGRESS)}'),
    event("function_call_arguments.delta", 9, IN_CALL + r',"delta":"{\"city\":"'),
    event("function_call_arguments.delta", 10, IN_CALL + r',"delta":"\"Rom\"}"'),
    event(
        "function_call_arguments.done",
        11,
        f'{IN_CALL},"name":"weather","arguments":"{ARGUMENTS}"',
    ),
    event("output_item.done", 12, f'"output_index":1,"item":{call(DONE, ARGUMENTS)}'),
    event(
        "completed",
        13,
        '"response":'
        + response(DONE, f'{message(DONE, part("Well."))},{call(DONE, ARGUMENTS)}', USAGE),
    ),
)
WARM = At(1, "Warm.", "Warm.", True)
RAN = (OPEN, CREATED, BEGUN, piece(WARM), ended(At(1, "Warm."), "completed", DONE))
