"""What a call's failure tells an operator of upstream's words: never a key, a URL's password, or
what people say.

A server may quote the prompt in its error, whole or in part. Words are compared, so that quotation
marks, line ends and escapes between them hide nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.core.run_errors import RunError, Said
from app.core.runs import ProviderRequest
from app.providers.wire.adapting import StreamingRefused

MAX_CHARS = 300
SEEN_CHARS = 4000  # of upstream's message: what is cut off anyway is not looked through
RUN = 3  # so many words in a row are the prompt's and not a coincidence
PLACE = "[...]"
_WORD = re.compile(r"[a-z0-9_]+|[^\W\d_]|\d", re.I)  # of other scripts, each character
_SECRETS = re.compile(
    r"(?i)bearer\s+\S+|\b(?:sk|pk|rk|gsk|hf|xai|pplx|nvapi|tgp|AIza|key)[-_][^\s\"',;)]{4,}"
    r"|\bAIza[^\s\"',;)]{6,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=://)[^/\s\"']+(?=@)"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{8,}|\bgh[pousr]_\w{8,}|basic\s+[\w+/=]{6,}"
    r"|(?<=api-key: )\S+|(?<=key provided: )\S+|(?<=[?&]key=)[^&\s\"']+"
    r"|\S{0,100}\*{3,}\S{0,100}"
)
_CODED = re.compile(r"(?:\\+u[0-9a-f]{4})+|(?:\\+x[0-9a-f]{2})+|(?:%[0-9a-f]{2})+", re.I)
_ESCAPES = re.compile(r"\\+[nrt]")
_MACHINE = re.compile(r"[\w.:-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Words:
    """Whether upstream's own words may be told: to the log, and to the client."""

    in_log: bool = True
    to_client: bool = False


@contextmanager
def asking(request: ProviderRequest, secrets: Sequence[str], words: Words) -> Iterator[None]:
    """Note that a connection is open while the block runs; clean what its failure says."""
    upstream = request.upstream
    upstream.opened = True
    try:
        yield
    except (RunError, StreamingRefused) as error:
        failure = error.error if isinstance(error, StreamingRefused) else error
        tell(failure, (message.text for message in request.messages), secrets, words)
        raise
    finally:
        upstream.closed = True


def tell(
    error: RunError, prompt: Iterable[str], secrets: Iterable[str], words: Words = Words()
) -> None:
    """Clean what the error says that upstream said, and add `details` where a client may see it."""
    said = error.said
    if said is None:
        return
    texts, known = list(prompt), [secret for secret in secrets if secret]
    message = _cleaned(said.message, texts, known) if said.message else ""
    code, kind = (_machine(word, texts, known) for word in (said.code, said.type))
    error.said = Said(said.status, code, kind, message if words.in_log else "")
    if words.to_client:
        parts = (said.status and f"status {said.status}", code, message)
        error.details = ", ".join(str(part) for part in parts if part)[:MAX_CHARS]


def _machine(word: str, prompt: list[str], secrets: list[str]) -> str:
    if not _MACHINE.match(word) or _cleaned(word, prompt, secrets) != word:
        return ""
    return word


def _cleaned(message: str, prompt: list[str], secrets: list[str]) -> str:
    message = unicodedata.normalize("NFC", _CODED.sub(_decoded, message[:SEEN_CHARS]))
    message = " ".join(_ESCAPES.sub(" ", message).split())
    for secret in secrets:
        message = message.replace(secret, PLACE)
    message = _SECRETS.sub(PLACE, message)
    message = _without_pieces_of(message, secrets)
    spans = _quoted(message, prompt)
    for start, end in reversed(spans):
        message = message[:start] + PLACE + message[end:]
    return message if len(message) <= MAX_CHARS else message[: MAX_CHARS - 1] + "…"


def _decoded(found: re.Match[str]) -> str:
    """Return what a run of escapes stands for: JSON's, Python's, a URL's."""
    written = found[0].lower()
    if "u" in written:
        units = bytes.fromhex("".join(re.findall(r"u(....)", written)))
        return units.decode("utf-16-be", "replace")
    return bytes.fromhex(re.sub(r"[\\x%]", "", written)).decode("utf-8", "replace")


def _without_pieces_of(message: str, secrets: list[str]) -> str:
    """Return the message without words that are a part of a key: some servers show its end."""
    for found in reversed(list(re.finditer(r"[\w-]{6,}", message))):
        if any(found[0] in secret for secret in secrets):
            message = message[: found.start()] + PLACE + message[found.end() :]
    return message


def _quoted(message: str, prompt: list[str]) -> list[tuple[int, int]]:
    """Return where the message has words of the prompt, in order, without overlaps."""
    places = list(_WORD.finditer(message))
    words = [place[0].lower() for place in places]
    runs, rare = _runs_and_rare(prompt, set(words))
    hit = [word in rare for word in words]
    for size in range(1, RUN + 1):
        for at in range(len(words) - size + 1):
            if tuple(words[at : at + size]) in runs:
                hit[at : at + size] = [True] * size
    spans: list[tuple[int, int]] = []
    for index, place in enumerate(places):
        if not hit[index]:
            continue
        if index and hit[index - 1]:
            spans[-1] = (spans[-1][0], place.end())
        else:
            spans.append(place.span())
    return spans


def _runs_and_rare(prompt: list[str], seen: set[str]) -> tuple[set[tuple[str, ...]], set[str]]:
    """Return the prompt's runs of words, a short message being one, and those of its words that
    nobody would write by chance; of both only what has a word of `seen`."""
    runs: set[tuple[str, ...]] = set()
    rare: set[str] = set()
    for text in prompt:
        text = unicodedata.normalize("NFC", text)
        words = [word.lower() for word in _WORD.findall(text)]
        if len(words) < RUN and sum(map(len, words)) >= 4:
            runs.add(tuple(words))
        for index, word in enumerate(words):
            if word not in seen:
                continue
            if len(word) >= 6 and not word.isalpha():
                rare.add(word)
            run = tuple(words[index : index + RUN])
            if len(run) == RUN and any(len(one) > 3 or not one.isascii() for one in run):
                runs.add(run)
    return runs, rare
