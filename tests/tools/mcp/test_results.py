"""What a server's result and its questions become."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import types

from app.tools.mcp.child.questions import (
    CannotAsk,
    forms_of,
    question_of,
    question_of_all,
    responses_of,
)
from app.tools.mcp.child.results import reason, result_json

TEXT = types.TextContent(text="some")
IMAGE = types.ImageContent(data="MTIzNDU2Nw==", mime_type="image/png")
SOUND = types.AudioContent(data="MTIz", mime_type="audio/wav")
LINK = types.ResourceLink(uri="https://example.org/a", name="a")
SCRIPT = types.ResourceLink(uri="JavaScript:alert(1)", name="b")
NOTE = types.EmbeddedResource(resource=types.TextResourceContents(uri="file:///n", text="note"))
BLOB = types.EmbeddedResource(resource=types.BlobResourceContents(uri="file:///b", blob="MTI="))


def result(*content: Any, **fields: Any) -> dict[str, Any]:
    return result_json(types.CallToolResult(content=list(content), **fields), 1000)


@pytest.mark.parametrize(
    "content,fields,output",
    [
        ([], {}, ""),
        ([TEXT, TEXT], {}, "some\nsome"),
        ([IMAGE], {}, "[image, image/png, 7 bytes]"),
        ([TEXT, SOUND], {}, "some\n[audio, audio/wav, 3 bytes]"),
        ([TEXT], {"structured_content": {"a": [1]}}, {"a": [1]}),
        ([TEXT], {"structured_content": {"result": "some"}}, "some"),
        ([types.TextContent(text="3")], {"structured_content": {"result": 3}}, "3"),
        ([TEXT], {"structured_content": {"result": "other"}}, {"result": "other"}),
        ([TEXT, IMAGE], {"structured_content": {"a": 1}}, '{"a": 1}\n[image, image/png, 7 bytes]'),
    ],
)
def test_output(content: list[Any], fields: dict[str, Any], output: Any) -> None:
    assert result(*content, **fields) == {"output": output}


def test_sources_are_what_has_an_address_that_may_be_a_link() -> None:
    assert result(LINK, SCRIPT, NOTE, BLOB) == {
        "output": "[a: https://example.org/a]\n[b: JavaScript:alert(1)]\nnote\n"
        "[file, unknown type, 2 bytes]",
        "sources": [
            {"url": "https://example.org/a", "title": "a"},
            {"url": "file:///n"},
            {"url": "file:///b"},
        ],
    }


def test_an_error_is_its_text() -> None:
    assert result(TEXT, is_error=True) == {"error": "some"}
    assert "did not say why" in result(is_error=True)["error"]


def test_a_long_output_is_cut() -> None:
    output = result(types.TextContent(text="x" * 5000))["output"]
    assert output == "x" * 1000 + "\n[cut: 4000 more bytes]"


@pytest.mark.parametrize(
    "error,said",
    [
        (FileNotFoundError(2, "No such file", "npx"), "npx is not there."),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (ExceptionGroup("", [ExceptionGroup("", [ValueError("inner")])]), "inner"),
        (TimeoutError(), "it did not answer in time."),
        (ValueError(), "ValueError"),
    ],
)
def test_reason(error: Exception, said: str) -> None:
    assert reason(error) == said


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORM = types.ElicitRequest(
    params=types.ElicitRequestFormParams(message="What?", requested_schema=SCHEMA)
)
PAGE = types.ElicitRequest(
    params=types.ElicitRequestURLParams(message="Sign in", url="https://example.org", mode="url")
)
SAMPLING = types.CreateMessageRequest(
    params=types.CreateMessageRequestParams(messages=[], max_tokens=1)
)
YES = {"approved": True, "answer": {"a": "b"}}


def test_one_question_and_its_answer() -> None:
    assert question_of_all({"k": FORM}) == {"message": "What?", "schema": SCHEMA}
    (answer,) = responses_of(YES, forms_of({"k": FORM})).values()
    assert (answer.action, answer.content) == ("accept", {"a": "b"})  # type: ignore[union-attr]


def test_a_page_to_open_has_no_schema_and_no_content() -> None:
    assert question_of_all({"k": PAGE}) == {
        "message": "Sign in\nhttps://example.org",
        "schema": None,
    }
    (answer,) = responses_of(YES, forms_of({"k": PAGE})).values()
    assert (answer.action, answer.content) == ("accept", None)  # type: ignore[union-attr]


def test_several_are_asked_as_one() -> None:
    requests: dict[str, Any] = {"x": FORM, "y": PAGE, "z": FORM}
    asked = question_of_all(requests)
    assert asked["message"] == "1. What?\n2. Sign in\nhttps://example.org\n3. What?"
    assert asked["schema"]["required"] == ["x", "z"]
    given = {"approved": True, "answer": {"x": {"a": "1"}, "z": {"a": "3"}}}
    answers = responses_of(given, forms_of(requests))
    contents = {key: answer.content for key, answer in answers.items()}  # type: ignore[union-attr]
    assert contents == {"x": {"a": "1"}, "y": None, "z": {"a": "3"}}


def test_no_is_told() -> None:
    (answer,) = responses_of({"approved": False}, forms_of({"k": FORM})).values()
    assert answer.action == "decline"  # type: ignore[union-attr]


def test_what_no_user_has_is_not_asked() -> None:
    with pytest.raises(CannotAsk):
        question_of_all({"k": FORM, "s": SAMPLING})
    with pytest.raises(CannotAsk):
        question_of(types.ElicitRequestURLParams(message="", url="javascript:alert(1)", mode="url"))
