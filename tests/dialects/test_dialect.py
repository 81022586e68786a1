"""What dialects share: JSON on one line, times, bodies whose every wrong field is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from app.core.errors import InvalidRequest
from app.dialects.frames import Body, json_line, timestamp, validated
from app.dialects.routes import NATIVE, ROUTES, Route

TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\u2028\u2029\u0085\r\n\\"))
)


class Part(Body):
    size: int = Field(ge=1)


class Sample(Body):
    name: str
    parts: list[Part] = []


@given(TEXT)
def test_any_text_is_one_line_of_json(text: str) -> None:
    line = json_line({"text": text})

    assert json.loads(line) == {"text": text}
    assert len(line.decode().splitlines()) == 1


def test_text_is_not_escaped_without_need() -> None:
    assert json_line({"t": "é🙂\u2028"}) == '{"t":"é🙂\\u2028"}'.encode()


@pytest.mark.parametrize(
    "at,written",
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
        (1_700_000_000.9999, "2023-11-14T22:13:20.999Z"),
    ],
)
def test_time_is_iso_8601_in_utc(at: float, written: str) -> None:
    assert timestamp(at) == written


def test_body_that_is_right_is_read() -> None:
    sample = validated(Sample, {"name": "a", "parts": [{"size": 2}], "more": 1})

    assert (sample.name, sample.parts[0].size) == ("a", 2)


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        validated(Sample, {"parts": [{"size": 1}, {"size": 0}, {}]})

    assert refused.value.fields == {
        "name": "field required",
        "parts.1.size": "input should be greater than or equal to 1",
        "parts.2.size": "field required",
    }


@pytest.mark.parametrize("body", [[], "text", None])
def test_body_that_is_no_object_is_named_as_such(body: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        validated(Sample, body)
    assert set(refused.value.fields) == {"body"}


def test_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(InvalidRequest) as refused:
        validated(Sample, {"name": ["sk-secret"]})
    assert "sk-secret" not in str(refused.value.payload())


def test_each_route_is_one_row() -> None:
    paths = [route.path for route in ROUTES]
    assert len(set(paths)) == len(paths)
    assert ROUTES[0] == Route("/api/chat/stream", NATIVE, "stream")
