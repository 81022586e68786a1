"""JSON as Flask writes it for views: the same bytes as in a stream."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, jsonify

from app.dialects.frames import json_line
from app.transports.http.json import LineJson

VALUES = [
    {},
    [1, 2.5, None, True],
    {"text": 'é "quoted" \\ \n tab\t'},
    {"text": "ends \u2028 of \u2029 lines \u0085 for some"},
    {"keys in": 1, "their order": 2, "as written": 3},
]


@pytest.fixture
def app() -> Flask:
    app = Flask("test")
    app.json = LineJson(app)
    return app


@pytest.mark.parametrize("value", VALUES)
def test_what_a_view_returns_is_one_line_of_utf_8(app: Flask, value: Any) -> None:
    app.add_url_rule("/value", view_func=lambda: (value, 201))

    answer = app.test_client().get("/value")

    assert (answer.status_code, answer.content_type) == (201, "application/json")
    assert answer.data == json_line(value)
    assert len(answer.data.decode().splitlines()) == 1
    assert answer.get_json() == value


@pytest.mark.parametrize("value", VALUES)
def test_jsonify_and_dumps_write_the_same(app: Flask, value: Any) -> None:
    with app.test_request_context():
        assert jsonify(value).data == json_line(value)
        assert app.json.dumps(value).encode() == json_line(value)
        assert jsonify(a=1, b=[2]).data == b'{"a":1,"b":[2]}'


@pytest.mark.parametrize("text", ["NaN", "[1,]", '"\\ud800"', ""])
def test_what_is_no_json_is_refused(app: Flask, text: str) -> None:
    with pytest.raises(ValueError):
        app.json.loads(text)
