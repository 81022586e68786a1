"""The table of cases, at the provider: streamed and whole, and cut at every byte."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.run_errors import RunError
from app.core.usage import Usage
from app.providers.openai.chunks import CompletionChunks
from app.providers.wire.adapting import StreamingRefused
from app.providers.wire.pieces import read_pieces
from app.runs.ports import Piece, PieceStream
from tests.support.asking import joined, request_of
from tests.support.case_tables import CASES, chunks_of
from tests.support.cases import Case
from tests.support.upstream import Upstream
from tests.support.wires import WIRES

FEWEST = 150
NO_BOUND = 4_000_000
OK = [case for case in CASES if case.status == "200 OK" and not case.cut]


def test_table_is_large_and_has_no_name_twice() -> None:
    names = [case.name for case in CASES]
    print(f"{len(CASES)} cases, {len({case.wire for case in CASES})} wires")

    assert len(CASES) >= FEWEST
    assert len(set(names)) == len(names)


def outcome(stream: PieceStream) -> tuple[str, str, str, object]:
    """Return text, thoughts, how it ended and the usage that was reported."""
    pieces: list[Piece] = []
    end = None
    try:
        for batch in stream:
            pieces += batch
    except RunError as error:
        end = error.code
    except StreamingRefused as refused:
        end = refused.error.code
    kept = joined(pieces)
    return kept["text"], kept["reasoning"], end or kept.get("finish", "none"), kept.get("usage")


def expected(case: Case) -> tuple[str, str, str, object]:
    return case.text, case.thoughts, case.end, Usage(*case.usage) if case.usage else None


@pytest.fixture(scope="module")
def model_server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def providers(model_server: Upstream) -> dict[str, Any]:
    """A provider of each wire; they cost more to make than a case does to play."""
    origin = f"http://127.0.0.1:{model_server.port}"
    options = {"local": {"splits_thoughts": True}}
    return {name: wire.provider(origin, **options.get(name, {})) for name, wire in WIRES.items()}


@pytest.mark.parametrize("asked", ["stream", "whole"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_comes_out_right(
    case: Case, asked: str, model_server: Upstream, providers: dict[str, Any]
) -> None:
    model_server.reply = case.reply

    assert outcome(getattr(providers[case.wire], asked)(request_of())) == expected(case)


@pytest.mark.parametrize("case", OK, ids=lambda case: case.name)
def test_case_is_the_same_wherever_it_is_split(case: Case) -> None:
    body = case.body
    for place in range(len(body) + 1):
        reads = [part for part in (body[:place], body[place:]) if part]
        assert outcome(read_pieces(reads, chunks_of(case.wire), NO_BOUND)) == expected(case), place
    letters = [body[index : index + 1] for index in range(len(body))]
    assert outcome(read_pieces(letters, chunks_of(case.wire), NO_BOUND)) == expected(case)


@pytest.mark.parametrize("case", OK, ids=lambda case: case.name)
def test_case_that_is_cut_anywhere_is_an_end_like_others(case: Case) -> None:
    for place in range(len(case.body)):
        text, thoughts, end, _ = outcome(
            read_pieces([case.body[:place]], chunks_of(case.wire), NO_BOUND)
        )
        assert end != "none"
        if not case.text.startswith(text):  # a mark that is cut may be a word for itself
            assert case.wire == "local" or "\ufffd" in text, place


WORDS = ("x", -1, 1.5, True, None, [], {}, "\ud800", "NaN", 2**70, [1, {"a": "b"}], {"text": "no"})
FIELDS = ("id", "created", "system_fingerprint", "service_tier", "obfuscation", "x_y", "p", "nonce")


def test_no_usage_and_no_unknown_field_changes_text_or_end() -> None:
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(2000):
        chunks = CompletionChunks()
        found: list[Piece] = []
        for text, reason in (("Red", None), (" kite", None), ("", "stop")):
            delta = {"content": text, "annotations": dice.choice(WORDS)}
            choice = {"delta": delta, "finish_reason": reason, "logprobs": dice.choice(WORDS)}
            chunk = {"choices": [choice], "usage": dice.choice(WORDS)}
            chunk |= {field: dice.choice(WORDS) for field in dice.sample(FIELDS, 3)}
            chunk["usage"] = dice.choice(
                [*WORDS, {"prompt_tokens": dice.choice(WORDS), "completion_tokens": 1}]
            )
            chunks.add_chunk(chunk, found)
        kept = joined(found)
        assert (kept["text"], kept["finish"]) == ("Red kite", "stop"), seed
