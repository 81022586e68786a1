"""What `operation` makes of a view: its body, its status, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from typing_extensions import TypedDict

from app.dialects.frames import Body
from app.server import Tandem
from app.transports.http import errors
from app.transports.http.json import LineJson
from app.transports.openapi.operations import (
    Answer,
    Operation,
    Parameter,
    Routes,
    operation,
    whole_number,
)
from app.transports.services import KEY

AMOUNT = Parameter(
    "amount", "How many.", {"type": "integer", "minimum": 2, "maximum": 300, "default": 7}
)


class Wanted(Body):
    name: str = "nobody"
    times: int = 1


class Told(TypedDict):
    name: str


routes = Routes("things", __name__, "Things.", "/things")


@routes.post("/needed")
@operation("Make", Answer("Made.", 201))
def make(body: Wanted) -> Told:
    return {"name": body.name * body.times}


@routes.post("/optional")
@operation("Make perhaps", Answer("Made."), Answer("Nothing was.", 204))
def make_perhaps(body: Wanted = Wanted()) -> Told | None:
    return {"name": body.name} if body.times else None


@routes.get("/state")
@operation("Look", Answer("Well."), Answer("Ill.", 503), errors=())
def look() -> tuple[list[Told], int]:
    return [{"name": "ill"}], 503


@routes.get("/amount")
@operation("Count", Answer("The number."), parameters=(AMOUNT,))
def count() -> dict[str, int]:
    return {"amount": whole_number(AMOUNT)}


VIEWS = (make, make_perhaps, look, count)


def told(view: Any) -> Operation:
    found: Operation = view.operation
    return found


@pytest.fixture
def client(tandem: Tandem) -> FlaskClient:
    app = Flask("things")
    app.json = LineJson(app)
    app.extensions[KEY] = tandem.app.extensions[KEY]
    errors.register(app)
    app.register_blueprint(routes)
    return app.test_client()


def test_a_view_is_handed_its_body_as_a_model(client: FlaskClient) -> None:
    made = client.post("/things/needed", json={"name": "ab", "times": 2})

    assert (made.status_code, made.get_json()) == (201, {"name": "abab"})


@pytest.mark.parametrize("path", ["/things/needed", "/things/optional"])
def test_a_body_of_another_form_never_reaches_the_view(client: FlaskClient, path: str) -> None:
    refused = client.post(path, json={"name": 1, "times": "x"})

    assert refused.status_code == 400
    assert refused.get_json()["error"]["fields"].keys() == {"name", "times"}


def test_a_body_may_be_missing_where_it_has_a_default(client: FlaskClient) -> None:
    assert client.post("/things/optional").get_json() == {"name": "nobody"}
    assert client.post("/things/needed").status_code == 400
    assert [told(view).needs_body for view in (make, make_perhaps)] == [True, False]


def test_nothing_is_an_answer_without_a_body(client: FlaskClient) -> None:
    nothing = client.post("/things/optional", json={"times": 0})

    assert (nothing.status_code, nothing.data) == (204, b"")


def test_a_status_beside_the_value_is_the_views_own(client: FlaskClient) -> None:
    seen = client.get("/things/state")

    assert (seen.status_code, seen.get_json()) == (503, [{"name": "ill"}])


def test_what_is_answered_is_what_the_view_returns() -> None:
    shapes = [
        [content.shape for answer in told(view).answers for content in answer.content or ()]
        for view in VIEWS
    ]
    assert shapes == [[Told], [Told], [list[Told], list[Told]], [dict[str, int]]]


@pytest.mark.parametrize("asked, number", [("", 7), ("?amount=2", 2), ("?amount=300", 300)])
def test_a_number_within_its_bounds_is_taken(client: FlaskClient, asked: str, number: int) -> None:
    assert client.get(f"/things/amount{asked}").get_json() == {"amount": number}


@pytest.mark.parametrize("asked", ["1", "301", "-5", "2.0", "", "x", "1e2", "٣", "9" * 5000])
def test_a_number_out_of_its_bounds_is_refused(client: FlaskClient, asked: str) -> None:
    refused = client.get(f"/things/amount?amount={asked}")

    assert refused.status_code == 400
    fields = refused.get_json()["error"]["fields"]
    assert fields == {"amount": "must be a whole number from 2 to 300"}
