"""/openapi.json: valid, whole, and made of the shapes that dialects speak in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from app.dialects.routes import ROUTES
from app.server import Tandem
from app.transports.app import EXPOSED_HEADERS
from app.transports.http.hooks import OPEN_ENDPOINTS
from app.transports.openapi.document import OF_A_RATE, TOO_MANY, describe
from tests.transports.conftest import built

SECRET = "a secret for tests, of 32 bytes or more"
STREAMS = [route for route in ROUTES if route.answer != "whole"]


@pytest.fixture(scope="module")
def tandem() -> Tandem:
    return built(JWT_SECRET=SECRET)


@pytest.fixture(scope="module")
def document(tandem: Tandem) -> dict[str, Any]:
    found = tandem.app.test_client().get("/openapi.json")
    assert (found.status_code, found.mimetype) == (200, "application/json")
    return found.get_json()


def template(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def response(document: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of an operation, or what it refers to."""
    name = told.get("$ref", "").removeprefix("#/components/responses/")
    return document["components"]["responses"][name] if name else told


def names(shape: Any) -> set[str]:
    """Return the names of the shapes that a type is a union of."""
    return {one.__name__ for one in get_args(shape) or (shape,)}


def referred(schema: Any) -> set[str]:
    return set(re.findall(r"#/components/schemas/(\w+)", json.dumps(schema)))


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.parametrize("auth", ["off", "optional", "required"])
def test_the_document_is_valid_in_every_auth_mode(tandem: Tandem, auth: str) -> None:
    described = describe(tandem.app, auth)
    OpenAPIV31SpecValidator(described).validate()
    asked = {"off": None, "optional": [{"bearer": []}, {}], "required": [{"bearer": []}]}
    assert described.get("security") == asked[auth]
    assert ("401" in described["paths"]["/api/chat"]["post"]["responses"]) == (auth != "off")


def test_every_route_is_described_and_nothing_else(
    tandem: Tandem, document: dict[str, Any]
) -> None:
    routes = {
        f"{method} {template(rule.rule)}"
        for rule in tandem.app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {name for name, _ in operations(document)} == routes


def test_a_route_that_is_not_described_stops_the_start() -> None:
    app = Flask("test")
    app.add_url_rule("/forgotten", view_func=lambda: "")

    with pytest.raises(LookupError, match="GET /forgotten"):
        describe(app, "off")


def test_every_operation_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_every_operation_has_a_tag_that_is_explained(document: dict[str, Any]) -> None:
    used = {operation["tags"][0] for _, operation in operations(document)}
    assert used == {tag["name"] for tag in document["tags"]}


def test_open_are_the_routes_that_need_no_token(document: dict[str, Any]) -> None:
    opened = {one["operationId"] for _, one in operations(document) if one.get("security") == []}
    assert opened == {name.replace(".", "_") for name in OPEN_ENDPOINTS - {"static"}}


@pytest.mark.parametrize("route", STREAMS, ids=lambda route: route.path)
def test_every_event_is_described(document: dict[str, Any], route: Any) -> None:
    answers = document["paths"][template(route.path)]["post"]["responses"]
    media_type = route.dialect.content_type.partition(";")[0]
    schema = answers["200"]["content"][media_type]["schema"]
    assert names(route.dialect.event) <= referred(schema)
    assert names(route.dialect.event) <= set(document["components"]["schemas"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_requests_and_problems_are_those_of_the_dialect(
    document: dict[str, Any], route: Any
) -> None:
    operation = document["paths"][template(route.path)]["post"]
    assert referred(operation["requestBody"]) == names(route.dialect.body)
    refusal = response(document, operation["responses"]["400"])
    assert referred(refusal) == names(route.dialect.problem)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_examples_are_requests_that_are_taken(route: Any) -> None:
    assert route.dialect.examples
    for example in route.dialect.examples:
        TypeAdapter(route.dialect.body).validate_python(example)


def test_components_have_names_of_their_own(document: dict[str, Any]) -> None:
    # pydantic tells two of one name apart by their modules' paths.
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_it_opens_without_a_token(tandem: Tandem) -> None:
    client = tandem.app.test_client()
    assert client.get("/api/chat/sessions").status_code == 401
    paths = ("/openapi.json", "/docs", "/examples/react")
    assert [client.get(path).status_code for path in paths] == [200, 200, 200]


# Headers of HTTP itself, and of every answer alike.
UNSAID = {
    *("Content-Type", "Content-Length", "Vary", "Cache-Control", "X-Accel-Buffering"),
    *("X-Content-Type-Options", "Referrer-Policy"),
    *("Access-Control-Allow-Origin", "Access-Control-Expose-Headers"),
}


@pytest.fixture
def counting() -> Any:
    limits = {f"RATE_LIMIT_{kind}": "4 per day" for kind in ("STREAM", "CHAT", "READ")}
    return built(**limits).app.test_client()


@pytest.mark.parametrize(
    "method, path, body, statuses",
    [
        ("get", "/health", None, [200, 200]),
        ("get", "/api/chat/sessions", None, [200, 200, 200, 200, 429]),
        ("get", "/api/chat/sessions/{session_id}", None, [404, 404, 404, 404, 429]),
        ("post", "/api/chat", {"message": "hi"}, [200, 200, 200, 200, 429]),
        ("post", "/api/chat/stream", {"message": "hi"}, [200, 200]),
        ("post", "/api/chat/stream", {"message": 1}, [400, 400]),
        ("post", "/v1/chat/completions", {"messages": 1}, [400]),
    ],
)
def test_headers_of_an_answer_are_described(
    counting: Any, document: dict[str, Any], method: str, path: str, body: Any, statuses: list[int]
) -> None:
    asked = {"json": body, "headers": {"Origin": "http://localhost:3000"}}
    answers = [getattr(counting, method)(path, **asked) for _ in statuses]

    assert [answer.status_code for answer in answers] == statuses
    for answer in answers:
        responses = document["paths"][path][method]["responses"]
        told = response(document, responses[str(answer.status_code)])["headers"]
        is_counted = answer.status_code < 300 or answer.status_code == TOO_MANY
        unsaid = UNSAID if is_counted else UNSAID | set(OF_A_RATE)
        assert set(answer.headers.keys()) - unsaid <= set(told)


def test_headers_that_a_page_may_read_are_described(document: dict[str, Any]) -> None:
    described = {
        name
        for _, operation in operations(document)
        for told in operation["responses"].values()
        for name in response(document, told)["headers"]
    }
    assert set(EXPOSED_HEADERS) <= described
