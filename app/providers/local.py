"""A model server of one's own. An Ollama on this machine is looked for, so that a laptop that has
one needs no settings.

Source: Ollama API reference, "List local models".
"""

from __future__ import annotations

import http.client
import time
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, Field

from app.providers.http.proxies import basic
from app.providers.http.streams import Bounds
from app.providers.openai.provider import PARAMETERS, OpenAICompatible
from app.providers.settings import SECTION, Seconds, Variables
from app.providers.types import OwnAddress
from app.providers.wire.images import IMAGE_URL

DEFAULT_BASE_URL = "http://127.0.0.1:11434"  # where Ollama listens unless told otherwise
MAX_ANSWER_BYTES = 1_000_000  # a list of a thousand models
MAX_ANSWER_S = 1.0  # for all of it: a start is not to wait for whoever else listens there


class LocalSettings(BaseModel):
    """An Ollama, or another compatible server of one's own."""

    model_config = SECTION
    aliases: ClassVar = ("ollama",)
    variables: ClassVar = Variables("LOCAL_LLM_URL", "LOCAL_LLM_URL", "LOCAL_LLM_MODEL")

    local_llm_url: OwnAddress = ""
    """Address of an Ollama or another compatible server; /v1 is added where it has no path."""
    local_llm_model: str = ""
    """Its model; by default the first that it lists."""
    find_ollama: bool = True
    """1 looks for an Ollama here when nothing else is set up."""
    local_llm_stream: bool = True
    """0 asks it for whole replies."""
    local_llm_split_thoughts: bool = True
    """1 takes <think>..</think> at a reply's start for thoughts."""
    local_first_delta_timeout_s: Seconds = Field(default=300, ge=0.05, le=3600)
    """Longest wait for its piece 1: a model may have to be read from a disk first."""

    @property
    def first_delta_timeout_s(self) -> float:
        return self.local_first_delta_timeout_s

    @property
    def streams(self) -> bool:
        return self.local_llm_stream

    def provider(self, name: str, bounds: Bounds, alone: bool) -> OpenAICompatible | None:
        url, model = self.local_llm_url, self.local_llm_model
        if url:
            model = model or find_model(url.removesuffix("/v1")) or "default"
        elif alone and self.find_ollama:
            listed = find_model()
            if not listed:
                return None
            url, model = f"{DEFAULT_BASE_URL}/v1", model or listed
        else:
            return None
        return LocalServer(
            name, "", url, model, bounds, "max_tokens", self.local_llm_split_thoughts
        )


class LocalServer(OpenAICompatible):
    """A server of one's own, which fetches nothing from the web: Ollama does not."""

    parameters = PARAMETERS - {IMAGE_URL}


def find_model(base_url: str = DEFAULT_BASE_URL, timeout_s: float = 0.3) -> str | None:
    """Return the first model that can chat of the Ollama at that address, or None.

    None too for a server that is none, is slow or lies. Asks no proxy. Seconds are of each wait.
    """
    try:
        answer = orjson.loads(_get(f"{base_url.rstrip('/')}/api/tags", timeout_s))
        names = [_name_of(model) for model in answer["models"]]
    except (OSError, http.client.HTTPException, LookupError, TypeError, ValueError):
        return None
    return next((name for name in names if name), None)


def _get(url: str, timeout_s: float) -> bytes:
    parts = urlsplit(url)
    give_up_at = time.monotonic() + MAX_ANSWER_S
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        userinfo = parts.netloc.rpartition("@")[0]
        headers = {"Authorization": basic(userinfo)} if userinfo else {}
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(response.status)
        body = b""
        while data := response.read1(65536):
            body += data
            if len(body) > MAX_ANSWER_BYTES or time.monotonic() > give_up_at:
                raise ValueError("too much")
        return body
    finally:
        connection.close()


def _name_of(model: Any) -> str | None:
    """Return the model's name if it can chat; embedding models cannot."""
    name = model.get("name") if isinstance(model, dict) else None
    if not isinstance(name, str) or not name:
        return None
    capabilities = model.get("capabilities")
    if isinstance(capabilities, list):  # not every version says
        return name if "completion" in capabilities else None
    details = model.get("details")
    family = str(details.get("family", "")) if isinstance(details, dict) else ""
    return None if "embed" in name or "bert" in family else name
