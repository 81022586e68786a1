"""Errors: the class decides code, status and words; each has an id of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.core import errors
from app.core.errors import ChatError, InvalidRequest, OverCapacity, SessionBusy, new_error_id
from app.core.run_errors import RunError, RunInternalError, RunTimeout, error_for_code
from tests.support.clock import START


def below(base: type[ChatError]) -> Iterator[type[ChatError]]:
    for error in base.__subclasses__():
        yield error
        yield from below(error)


RUN_ERRORS = sorted(below(RunError), key=lambda error: error.__name__)
FIXED = [
    error
    for error in below(ChatError)
    if error not in (InvalidRequest, errors.ProviderNotConfigured)
]


@pytest.mark.parametrize("error", sorted(FIXED, key=lambda error: error.__name__))
def test_class_decides_code_status_and_words(error: type[ChatError]) -> None:
    payload = error().payload()

    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", payload["code"])
    assert 400 <= error.http_status < 600
    assert payload["message"] == error.message
    assert payload["message"].endswith(".")
    assert payload["retryable"] is error.retryable


def test_error_id_is_its_time_and_eight_hex_digits() -> None:
    assert re.fullmatch(r"ERR_20231114_221320_[0-9a-f]{8}", new_error_id(lambda: START))


def test_each_error_has_an_id_of_its_own() -> None:
    assert ChatError().error_id != ChatError().error_id


def test_payload_names_only_what_is_known() -> None:
    assert set(ChatError().payload()) == {"code", "message", "error_id", "retryable"}


def test_busy_session_names_its_run() -> None:
    payload = SessionBusy(run_id="run-1").payload()

    assert (payload["code"], payload["run_id"]) == ("session_busy", "run-1")


def test_unavailable_says_when_to_come_back() -> None:
    assert OverCapacity().payload()["retry_after_s"] == 5
    assert OverCapacity(retry_after_s=30).payload()["retry_after_s"] == 30


def test_invalid_request_names_its_fields() -> None:
    error = InvalidRequest({"model": "too long", "message": "missing"})

    assert error.message == "The request is not valid: check message, model."
    assert error.payload()["fields"] == {"model": "too long", "message": "missing"}


def test_provider_not_configured_names_the_setting() -> None:
    error = errors.ProviderNotConfigured("openai", "OPENAI_API_KEY")

    assert "set OPENAI_API_KEY and restart" in error.message
    assert error.fields == {"provider": "needs OPENAI_API_KEY"}


def test_message_may_be_said_otherwise() -> None:
    assert str(errors.TooLarge("`message` is too long.")) == "`message` is too long."


def test_run_error_leaves_its_id_in_the_end() -> None:
    error = RunTimeout()

    assert error.end_data() == {
        "code": "run_timeout",
        "message": RunTimeout.message,
        "error_id": error.error_id,
        "retryable": True,
    }


@pytest.mark.parametrize("error", RUN_ERRORS)
def test_stored_code_gives_the_run_error_back(error: type[RunError]) -> None:
    assert type(error_for_code(error.code)) is error


def test_unknown_code_is_a_bug_of_ours() -> None:
    assert isinstance(error_for_code("from_the_future"), RunInternalError)
