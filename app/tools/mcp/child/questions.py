"""What a server asks the user: one question as the chat has it, and the answer as the protocol has
it.

In the protocol of 2025 a server asks while its call is under way (`elicitation/create`); in that of
2026 it returns what it asks, and is called again with the answers (`input_required`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp import types

Answer = Mapping[str, Any]  # {approved, answer?}
ONLY_USERS = "It asks for what only a client with a model or files of its own has."


class CannotAsk(Exception):
    """What is asked is nothing that a user can answer; the text says why."""


def question_of(params: types.ElicitRequestParams) -> dict[str, Any]:
    """Return the message and the schema of what is asked; who is to open an address answers
    without any."""
    if isinstance(params, types.ElicitRequestFormParams):
        return {"message": params.message, "schema": params.requested_schema}
    if not params.url.lower().startswith(("https://", "http://")):
        raise CannotAsk("It asks the user to open what is no web address.")
    return {"message": f"{params.message}\n{params.url}", "schema": None}


def question_of_all(requests: Mapping[str, types.InputRequest]) -> dict[str, Any]:
    """Return several questions as one, whose answer has a field for each. Raises CannotAsk."""
    asked: dict[str, dict[str, Any]] = {}
    for key, request in requests.items():
        if not isinstance(request, types.ElicitRequest):
            raise CannotAsk(ONLY_USERS)
        asked[key] = question_of(request.params)
    if len(asked) == 1:
        return next(iter(asked.values()))
    message = "\n".join(f"{n}. {one['message']}" for n, one in enumerate(asked.values(), 1))
    schemas = {key: one["schema"] for key, one in asked.items() if one["schema"] is not None}
    if not schemas:
        return {"message": message, "schema": None}
    schema = {"type": "object", "properties": schemas, "required": list(schemas)}
    return {"message": message, "schema": schema}


def forms_of(requests: Mapping[str, types.InputRequest]) -> dict[str, bool]:
    """Return which of them have a form to fill in."""
    return {
        key: isinstance(request.params, types.ElicitRequestFormParams)
        for key, request in requests.items()
    }


def result_of(answer: Answer, has_form: bool) -> types.ElicitResult:
    """Return the answer to one question."""
    if not answer.get("approved"):
        return types.ElicitResult(action="decline")
    content = answer.get("answer") if has_form else None
    return types.ElicitResult(
        action="accept", content=dict(content) if isinstance(content, Mapping) else None
    )


def responses_of(answer: Answer, forms: Mapping[str, bool]) -> types.InputResponses:
    """Return the answers to what `question_of_all` asked."""
    given = answer.get("answer")
    fields = given if isinstance(given, Mapping) and len(forms) > 1 else {}
    return {
        key: result_of({**answer, "answer": fields.get(key)} if fields else answer, has_form)
        for key, has_form in forms.items()
    }
