"""What OpenAI's clients ask besides a message."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


def test_models_are_listed_and_read(http: FlaskClient) -> None:
    models = http.get("/v1/models").get_json()["data"]

    assert [model["id"] for model in models] == ["demo"]
    assert http.get("/v1/models/demo").get_json() == models[0]
    assert http.get("/v1/models/no/such").status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b'{"input": "Hello", "model": "demo"}'])
def test_embeddings_are_not_offered_and_that_is_said(http: FlaskClient, body: bytes) -> None:
    refused = http.post("/v1/embeddings", data=body, content_type="application/json")

    assert refused.status_code == 404
    error = refused.get_json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "not_found")
    assert error["message"].startswith("Embeddings are not offered here.")


def test_a_prompt_is_answered_whole_and_in_chunks(http: FlaskClient) -> None:
    asked = {"model": "demo", "prompt": ["Hello"]}
    whole = http.post("/v1/completions", json=asked).get_json()
    streamed = http.post("/v1/completions", json={**asked, "stream": True}).text

    assert "Hello" in whole["choices"][0]["text"]
    assert whole["object"] == "text_completion" and whole["usage"]["total_tokens"] > 0
    assert streamed.endswith("data: [DONE]\n\n")
