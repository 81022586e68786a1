"""The head of a request for chat completions, as OpenAI's SDK makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx2
import openai

from app.providers.http.streams import USER_AGENT

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
    client = _Client(
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


def _unsent(request: httpx2.Request) -> httpx2.Response:
    # The SDK's error has the request. An answer would be logged like a real one.
    raise httpx2.ConnectError("only the request is wanted")


class _Client(openai.OpenAI):
    """The SDK, under our name: OPENAI_CUSTOM_HEADERS may set another."""

    user_agent = USER_AGENT


def _head_of(request: httpx2.Request) -> RequestHead:
    # It is not the SDK that sends it, and some firewalls block what looks like the SDK. A user in
    # the address is in the Authorization by now, and nobody else's business.
    headers = {k: v for k, v in request.headers.items() if not k.startswith("x-stainless-")}
    del headers["content-length"]
    return RequestHead(request.method, str(request.url.copy_with(userinfo=b"")), headers)
