"""What the OpenAI SDK sends whatever it is asked for, made once for all runs of a provider.

The SDK knows where a request goes and what goes with it: the path, the key, the organisation, and
what else it takes from the environment. Only the body differs from run to run, and for the SDK to
make all the rest anew costs more than to send it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import orjson

NO_KEY = "none"  # the SDK wants one; servers without authentication ignore it


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its body, and so without the body's length."""

    method: str
    url: str
    headers: Mapping[str, str]


def completions_head(api_key: str, base_url: str, stream: bool) -> RequestHead | None:
    """Return the head of each request for chat completions to that server, None for a key that
    cannot be in a header.

    Nobody is asked. What is in the environment now (OPENAI_ORG_ID and the like) counts.
    """
    client = openai.OpenAI(
        api_key=api_key or NO_KEY,
        base_url=base_url,
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(_unsent)),
    )
    try:
        with client.chat.completions.with_streaming_response.create(
            model="",
            messages=[],
            stream=stream,
            # Compression would hold back deltas until a block is full.
            extra_headers={"Accept-Encoding": "identity"},
        ):
            raise AssertionError("nobody was asked, and somebody has answered")
    except openai.APIConnectionError as error:
        return _head_of(error.request)
    except UnicodeEncodeError:
        return None


def body_bytes(body: Mapping[str, Any]) -> bytes:
    """Return the body as JSON. Raises ValueError for a lone surrogate, as the SDK does."""
    try:
        return orjson.dumps(body)
    except TypeError:  # more than 64 bits, or nested deep, which is no fault: the SDK sends it
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _unsent(request: httpx2.Request) -> httpx2.Response:
    # The SDK's error has the request. An answer would be logged like a real one.
    raise httpx2.ConnectError("only the request is wanted")


def _head_of(request: httpx2.Request) -> RequestHead:
    headers = dict(request.headers.items())
    del headers["content-length"]
    return RequestHead(request.method, str(request.url), headers)
