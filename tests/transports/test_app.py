"""The app as a whole: its paths, and what it does with those that it does not have."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import walk_packages

import pytest
from flask import Blueprint
from flask.testing import FlaskClient

from app import transports
from app.server import Tandem
from app.transports.app import BLUEPRINTS


def test_every_blueprint_is_in_the_one_list() -> None:
    modules = [
        import_module(found.name)
        for found in walk_packages(transports.__path__, "app.transports.")
        if not found.ispkg
    ]
    written = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Blueprint)
    }
    assert written == set(BLUEPRINTS)
    assert len({blueprint.name for blueprint in BLUEPRINTS}) == len(BLUEPRINTS)


def test_every_path_may_end_in_a_slash(tandem: Tandem) -> None:
    adapter = tandem.app.url_map.bind("localhost")
    for rule in tandem.app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        path = re.sub(r"<.*?>", "a", rule.rule).rstrip("/")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            endpoints = {adapter.match(asked, method)[0] for asked in (path or "/", f"{path}/")}
            assert endpoints == {rule.endpoint}, rule


@pytest.mark.parametrize("path", ["/api//chat/sessions", "/health//", "/nothing"])
def test_a_path_that_is_none_is_an_error_and_no_redirect(http: FlaskClient, path: str) -> None:
    answer = http.get(path)

    assert (answer.status_code, answer.mimetype) == (404, "application/json")
    assert answer.get_json()["error"]["code"] == "not_found"


def test_a_method_that_a_path_has_not_is_named(http: FlaskClient) -> None:
    answer = http.get("/api/chat/stream")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize("path", ["/api/chat/stream", "/api/chat/stream/"])
def test_a_stream_comes_whole_to_who_waits_for_its_end(http: FlaskClient, path: str) -> None:
    answer = http.post(path, json={"message": "Hello"})

    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert answer.data.startswith(b": open\n\n")
    assert b'"done":true' in answer.data.rpartition(b"data: ")[2]


def test_texts_of_every_script_come_back_as_they_were(http: FlaskClient) -> None:
    title = "Grüße \u2028 日本"
    made = http.post("/sessions", json={"title": title})

    assert (made.status_code, made.get_json()["title"]) == (201, title)
    assert b"\\u2028" in made.data and "日本".encode() in made.data
