"""What Ollama's clients ask before they chat: is it there, which version, which models."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.support.doors import SECRET, bearer, token_of
from tests.transports.conftest import Build


@pytest.mark.parametrize("path", ["/ollama", "/ollama/"])
def test_it_is_running(http: FlaskClient, path: str) -> None:
    assert http.get(path).text == "Ollama is running"
    assert (http.head(path).status_code, http.head(path).data) == (200, b"")


def test_version_is_one_that_clients_take(http: FlaskClient) -> None:
    version = http.get("/ollama/api/version").get_json()["version"]

    assert [int(part) for part in version.split(".")] >= [0, 6, 4]
    assert http.head("/ollama/api/version").status_code == 200


def test_models_are_those_of_the_providers(build: Build) -> None:
    client = build(OPENAI_API_KEY="sk-1", OPENAI_MODEL="gpt-9").app.test_client()
    models = client.get("/ollama/api/tags").get_json()["models"]

    assert [model["name"] for model in models] == ["gpt-9", "demo"]
    assert [model["details"]["family"] for model in models] == ["openai", "demo"]
    assert all(model["model"] == model["name"] for model in models)
    assert len({model["digest"] for model in models}) == 2
    assert {len(model["digest"]) for model in models} == {64}


@pytest.mark.parametrize("name", ["model", "name"])
def test_a_model_is_shown(http: FlaskClient, name: str) -> None:
    shown = http.post("/ollama/api/show", json={name: "demo", "verbose": True})

    assert shown.status_code == 200
    assert shown.get_json()["capabilities"] == ["completion", "tools"]
    assert shown.get_json()["model_info"]["general.architecture"] == "demo"


@pytest.mark.parametrize(
    "body, status", [({"model": "none"}, 404), ({}, 400), ({"model": ""}, 400), ({"model": 1}, 400)]
)
def test_a_model_that_is_not_there_is_named(
    http: FlaskClient, body: dict[str, object], status: int
) -> None:
    refused = http.post("/ollama/api/show", json=body)

    assert refused.status_code == status
    assert set(refused.get_json()) == {"error"} and "model: " in refused.get_json()["error"]


def test_what_ollama_has_and_we_have_not_is_said_as_ollama_says_it(http: FlaskClient) -> None:
    absent = http.post("/ollama/api/pull", json={"model": "demo"})

    assert (absent.status_code, set(absent.get_json())) == (404, {"error"})


def test_a_token_is_needed_where_one_is(build: Build) -> None:
    client = build(JWT_SECRET=SECRET).app.test_client()

    assert client.get("/ollama/api/tags").status_code == 401
    assert client.get("/ollama/api/tags", headers=bearer(token_of())).status_code == 200


def test_a_prompt_is_answered_whole_and_in_lines(http: FlaskClient) -> None:
    asked = {"model": "demo", "prompt": "Hello", "system": "Be brief."}
    whole = http.post("/ollama/api/generate", json={**asked, "stream": False}).get_json()
    lines = http.post("/ollama/api/generate", json=asked).text.splitlines()

    assert whole["done"] is True and "Hello" in whole["response"]
    assert len(lines) > 2 and '"done":true' in lines[-1]
