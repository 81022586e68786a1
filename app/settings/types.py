"""Kinds of values that pydantic has no type for: each takes text, and says what is allowed."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

import limits
from annotated_types import Unit
from pydantic import AfterValidator, BeforeValidator, SecretStr

Seconds = Annotated[float, Unit("s")]
Days = Annotated[float, Unit("days")]
Bytes = Annotated[int, Unit("bytes")]
Tokens = Annotated[int, Unit("tokens")]

MAX_WORKERS = 64

# Of a name or an address; a browser writes names in ASCII.
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)"
_ORIGIN = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://(?:\*\.)?{_HOST}(?::(?:\d+|\*))?")
_HOSTS = re.compile(rf"(?:\*?\.)?{_HOST}(?::\d+)?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")
_REDIS = re.compile(r"rediss?://[^/]|unix://[^?]")
_NAME = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
_NODE = re.compile(r"[a-z0-9]{1,16}")
_PAGE_HOST = re.compile(
    rf"(?:\*?\.)?{_NAME}(?::\d{{1,5}})?|\[(?P<six>.*)\](?::\d{{1,5}})?|(?P<bare>[^\[]*:.*:.*)"
)

# The rest is libpq's to read: hosts, sockets, what the query says.
_POSTGRES = re.compile(r"postgres(?:ql)?://\S+")


def _origin(value: str) -> str:
    if value != "*" and not _ORIGIN.fullmatch(value):
        raise ValueError(
            "origins like https://chat.example.com, separated by commas, without a path; "
            "https://*.example.com for all names below it, http://localhost:* for all ports, "
            "* alone for all origins"
        )
    return value


def _host_name(value: str) -> str:
    if value != "*" and not _HOSTS.fullmatch(value):
        raise ValueError(
            "host names like chat.example.com, separated by commas, without a scheme; "
            ".example.com for it and all names below it, *.example.com for those alone, * for all"
        )
    return value


def _page_host(value: str) -> str:
    found = _PAGE_HOST.fullmatch(value)
    six = found and (found["six"] or found["bare"])
    if not found or (six and not _is_address(six)):
        raise ValueError(
            "host names and addresses like wiki.my.org, 10.0.0.7:8080, [fd00::7], separated by "
            "commas, without a scheme; .my.org for it and all names below it"
        )
    return value


def _is_address(value: str) -> bool:
    try:
        return bool(ip_address(value))
    except ValueError:
        return False


def _optional_address(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
        raise ValueError("an address that starts with http:// or https://")
    return value.rstrip("/")


def _database(value: str) -> str:
    if value == "memory:" or (value.startswith("sqlite:///") and len(value) > len("sqlite:///")):
        return value
    if _POSTGRES.match(value):
        return value
    raise ValueError(
        "sqlite:///<path> (four slashes for an absolute one), "
        "postgresql://<user>:<password>@<host>/<database>, or memory:"
    )


def _redis(value: SecretStr) -> SecretStr:
    if value and not _REDIS.match(value.get_secret_value()):
        raise ValueError("redis://<host>:<port>, rediss:// the same by TLS, or unix://<socket>")
    return value


def _rate(value: str) -> str:
    if value.lower() == "off":
        return "off"
    try:
        limits.parse(value)
    except ValueError:
        raise ValueError("like `30 per minute`, or off") from None
    return value


def _worker_count(value: object) -> int:
    if value == "auto":
        return usable_cores()
    try:
        count = int(str(value))
    except ValueError:
        count = 0
    if not 1 <= count <= MAX_WORKERS:
        raise ValueError(f"a whole number from 1 to {MAX_WORKERS}, or auto")
    return count


def usable_cores() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return min(MAX_WORKERS, len(os.sched_getaffinity(0)))
    return min(MAX_WORKERS, os.cpu_count() or 1)  # macOS


def _node_name(value: str) -> str:
    if value and not _NODE.fullmatch(value):
        raise ValueError("a word of at most 16 lower-case letters and digits")
    return value


def _shared_key(value: SecretStr) -> SecretStr:
    if value and len(value.get_secret_value().encode()) < 32:
        raise ValueError("at least 32 bytes; `openssl rand -hex 32` makes one")
    return value


def _public_key(value: SecretStr) -> SecretStr:
    pem = value.get_secret_value().replace("\\n", "\n")
    if pem and not pem.startswith("-----BEGIN PUBLIC KEY-----"):
        raise ValueError("a PEM that starts with -----BEGIN PUBLIC KEY-----")
    return SecretStr(pem)


# RFC 6454: scheme, host, port, nothing more; or `*`. Extensions and desktop shells have schemes of
# their own.
Origin = Annotated[str, AfterValidator(_origin)]
HostName = Annotated[str, AfterValidator(_host_name)]
PageHost = Annotated[str, AfterValidator(_page_host)]
OptionalAddress = Annotated[str, AfterValidator(_optional_address)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
Rate = Annotated[str, AfterValidator(_rate)]
NodeName = Annotated[str, AfterValidator(_node_name)]
WorkerCount = Annotated[int, BeforeValidator(_worker_count)]
# For HMAC: at least as long as SHA-256's output (RFC 7518, 3.2).
SharedKey = Annotated[SecretStr, AfterValidator(_shared_key)]
# In PEM; `\n` may stand for line ends.
PublicKey = Annotated[SecretStr, AfterValidator(_public_key)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]
