"""Kinds of values that settings of model servers are: each takes text as people paste it, and says
what is allowed."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr

# What requests go to, beneath the address that is asked for.
OPERATION = re.compile(r"/((chat/)?completions|responses|models|embeddings|messages)$")
OLLAMA_OWN = re.compile(r"/api(/(chat|generate|tags|embed|embeddings))?$")
HOST_AND_PORT = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d+(/|$)")


def _pasted(value: str) -> str:
    """Take off what comes along: white space, and the quotes of a file that has none removed."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return value


def _address(value: str) -> str:
    value, parts = _read(value)
    operation = OPERATION.search(parts.path.rstrip("/"))
    beneath = parts.path.rstrip("/").removesuffix(operation[0]) if operation else parts.path
    if "?" in value or "#" in value:
        raise ValueError(f"an address without ? and #: {_shown(parts, beneath)}")
    if operation:
        raise ValueError(f"the address before {operation[0]}: {_shown(parts, beneath)}")
    return value.rstrip("/")


def _own_address(value: str) -> str:
    value = _pasted(value)
    if not value:
        return ""
    value, parts = _read(f"http://{value}" if HOST_AND_PORT.match(value) else value)
    path = parts.path.rstrip("/")
    if own := OLLAMA_OWN.search(path):
        openais = _shown(parts, f"{path.removesuffix(own[0])}/v1")
        raise ValueError(f"the address that OpenAI's clients are given: {openais}")
    value = _address(value)
    return value if path else f"{value}/v1"


def _read(value: str) -> tuple[str, SplitResult]:
    """Return the address, cleaned, and its parts."""
    value = _pasted(value)
    try:
        parts = urlsplit(value)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError("an address that starts with http:// or https://")
    if not value.isprintable() or " " in value:
        raise ValueError("an address without white space or characters that cannot be seen")
    return value, parts


def _shown(parts: SplitResult, path: str) -> str:
    """Return an address to write instead, without its user and password."""
    host = parts.netloc.rpartition("@")[2]
    if host.endswith(".azure.com") and "/deployments/" in path:  # of an API with dated versions
        path = "/openai/v1"
    return f"{parts.scheme}://{host}{path.rstrip('/')}"


def _key(value: SecretStr) -> SecretStr:
    """Check that a key can go in a header (RFC 9110, 5.5), and is what a server gives out."""
    key = _pasted(value.get_secret_value())
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError("the key alone: printable ASCII without spaces, as it was given out")
    return SecretStr(key)


def _without_user(address: str) -> str:
    if "@" in urlsplit(address).netloc:
        raise ValueError("an address without a user and a password: it is asked with a key alone")
    return address


Address = Annotated[str, AfterValidator(_address)]
KeyedAddress = Annotated[Address, AfterValidator(_without_user)]
# Of a server of one's own: its scheme and its /v1 may be left out, as may all of it.
OwnAddress = Annotated[str, AfterValidator(_own_address)]
ApiKey = Annotated[SecretStr, AfterValidator(_key)]
