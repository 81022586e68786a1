"""What is told of upstream's words: enough to act on, and nothing that is anybody's secret."""

from __future__ import annotations

import pytest

from app.core.run_errors import Said, UpstreamRejected
from app.providers.wire.telling import MAX_CHARS, Words, tell

KEY = "sk-planted-0123456789abcdef"
PROMPT = (
    "My password is hunter2-blue and I live at 12 Elm Street in Springfield.",
    "¿Dónde está la biblioteca?",
    "我的银行密码是八八六六",
    "swordfish",
)


def told(message: str, *prompt: str, words: Words = Words(to_client=True)) -> UpstreamRejected:
    error = UpstreamRejected()
    error.said = Said(400, "bad_thing", "invalid_request_error", message)
    tell(error, prompt or PROMPT, (KEY,), words)
    return error


def message_of(message: str, *prompt: str) -> str:
    said = told(message, *prompt).said
    assert said is not None
    return said.message


@pytest.mark.parametrize(
    "message",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-plant***********cdef.",
        f"Bearer {KEY} is not known",
        "the key ends in 0123456789abcdef",
        "cannot reach http://user:{0}@proxy:8080/".format("89abcdef"),
        "GET /v1?key=0123456789abcdef failed",
        "use AIzaSy0123456789abcdef instead",
        "Authorization: Basic dXNlcjpwYXNzOTg6YWJjZGVm89abcdef",
        "postgres://user:p@ss89abcdef@host/db",
        "x-api-key: plant89abcdef",
    ],
)
def test_no_key_is_told(message: str) -> None:
    said = message_of(message)

    assert "89abcdef" not in said and "cdef." not in said and "plant" not in said


@pytest.mark.parametrize(
    "quoted,secret",
    [
        (PROMPT[0], "hunter2"),
        ("I live at 12 Elm Street", "Elm"),
        ("i LIVE at  12\\nElm\\tStreet", "Elm"),
        ("hunter2", "hunter2"),
        ("'swordfish'", "swordfish"),
        ("está la biblioteca", "biblioteca"),
        ("银行密码是八八", "密码"),
        ('{"input":"\\u00bfd\\u00f3nde est\\u00e1 la biblioteca?"}', "biblioteca"),
        ("\\u6211\\u7684\\u94f6\\u884c\\u5bc6\\u7801", "银行"),
        ("my%20password%20is%20hunter2-blue", "hunter2"),
        ("esta\u0301 la biblioteca", "biblioteca"),
        ('{"role":"user","content":"My password is hunter2-blue"}', "hunter2"),
    ],
)
def test_nothing_of_the_prompt_is_told(quoted: str, secret: str) -> None:
    error = told(f"Invalid value: {quoted} (in messages[0])")

    assert error.said is not None
    assert secret.lower() not in error.said.message.lower()
    assert secret.lower() not in error.details.lower()
    assert error.said.message.startswith("Invalid value:")


def test_what_helps_is_told() -> None:
    message = "This model's maximum context length is 8192 tokens. You requested 9000."

    assert message_of(message, "What is the maximum of a model?") == message


def test_message_is_cut_and_on_one_line() -> None:
    said = message_of("no\n\nway " * 1000)

    assert len(said) <= MAX_CHARS and "\n" not in said


@pytest.mark.parametrize("word", [KEY, "two words", "x" * 65, "<b>", "hunter2"])
def test_machine_words_are_words_alone(word: str) -> None:
    error = UpstreamRejected()
    error.said = Said(400, word, word, "")
    tell(error, PROMPT, (KEY,))

    assert error.said == Said(400)


def test_log_and_client_are_told_what_they_may_be() -> None:
    quiet = told("no way", words=Words(in_log=False))
    assert (quiet.said, quiet.details) == (Said(400, "bad_thing", "invalid_request_error"), "")
    open_ = told("no way")
    assert open_.details == "status 400, bad_thing, no way"
    assert open_.end_data()["details"] == open_.details
    assert "details" not in told("no way", words=Words()).end_data()
