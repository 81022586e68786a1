"""Bare text: the reply and nothing else, broken off if it is not whole."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.entries import Entry
from app.dialects.dialect import ReplyCut
from app.dialects.plain_text import PlainTextEncoder
from tests.dialects.speech import said
from tests.support.clock import START
from tests.support.samples import run_end, texts


def test_text_comes_as_it_was_said() -> None:
    encoder = PlainTextEncoder()
    entries = [*texts("Hé\n"), Entry(2, "reasoning", "hm", START), *texts("you", first=3)]

    assert encoder.encode(entries) == "Hé\nyou".encode()
    assert encoder.opening == encoder.heartbeat == b""


def test_completed_reply_closes_well() -> None:
    encoder = PlainTextEncoder()

    assert encoder.encode(said("a", "b")) == b"ab"
    encoder.close()


@pytest.mark.parametrize("status", ["stopped", "failed", "interrupted"])
def test_reply_that_did_not_complete_breaks_off(status: Any) -> None:
    encoder = PlainTextEncoder()

    assert encoder.encode(said("par", end=run_end(status))) == b"par"
    with pytest.raises(ReplyCut):
        encoder.close()
