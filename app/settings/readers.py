"""How a setting is read from text: each reader returns its value or raises ValueError, saying what
is allowed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

import limits


def text(value: str) -> str:
    """Read any text."""
    return value


def one_of(*allowed: str) -> Callable[[str], str]:
    """Read one of these words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value

    return read


def integer(least: int, most: int) -> Callable[[str], int]:
    """Read a whole number in a range."""

    def read(value: str) -> int:
        allowed = f"a whole number from {least} to {most}"
        try:
            number = int(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not least <= number <= most:
            raise ValueError(allowed)
        return number

    return read


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Read seconds in a range."""

    def read(value: str) -> float:
        allowed = f"seconds from {least:g} to {most:g}"
        try:
            number = float(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not least <= number <= most:  # NaN fails here too
            raise ValueError(allowed)
        return number

    return read


def yes_no(value: str) -> bool:
    """Read 1, true, yes, on or their opposites."""
    word = value.lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("1 or 0")


def words(value: str) -> tuple[str, ...]:
    """Read a list, separated by commas."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def origins(value: str) -> tuple[str, ...]:
    """Read origins (RFC 6454: scheme, host, port, nothing more), or `*`."""
    found = words(value)
    for origin in found:
        parts = urlsplit(origin)
        complete = parts.scheme in {"http", "https"} and parts.netloc
        if origin != "*" and (not complete or parts.path or parts.query or parts.fragment):
            raise ValueError("origins like https://chat.example.com, separated by commas, or *")
    return found


def http_url(value: str) -> str:
    """Read an http or https address."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("an address that starts with http:// or https://")
    return value.rstrip("/")


def database_url(value: str) -> str:
    """Read where to store: a SQLite file, or memory."""
    if value == "memory:" or (value.startswith("sqlite:///") and len(value) > len("sqlite:///")):
        return value
    raise ValueError("sqlite:///<path> (four slashes for an absolute one) or memory:")


def log_level(value: str) -> str:
    """Read a logging level."""
    return one_of("DEBUG", "INFO", "WARNING", "ERROR")(value.upper())


def rate(value: str) -> str:
    """Read a rate limit, or `off`."""
    if value.lower() == "off":
        return "off"
    try:
        limits.parse(value)
    except ValueError:
        raise ValueError("like `30 per minute`, or off") from None
    return value


def secret_key(value: str) -> str:
    """Read a key for HMAC: at least as long as SHA-256's output (RFC 7518, 3.2)."""
    if value and len(value.encode()) < 32:
        raise ValueError("at least 32 bytes; `openssl rand -hex 32` makes one")
    return value


def public_key(value: str) -> str:
    """Read a public key in PEM; `\\n` may stand for line ends."""
    value = value.replace("\\n", "\n")
    if value and not value.startswith("-----BEGIN PUBLIC KEY-----"):
        raise ValueError("a PEM that starts with -----BEGIN PUBLIC KEY-----")
    return value


def optional_url(value: str) -> str:
    """Read an http or https address, or nothing."""
    return http_url(value) if value else ""


def header_key(value: str) -> str:
    """Read a key that goes in a header: printable ASCII (RFC 9110, 5.5)."""
    if not (value.isascii() and value.isprintable()):
        raise ValueError("printable ASCII, as it was copied")
    return value


def factor(value: str) -> float:
    """Read how many times as fast."""
    allowed = "a number from 0 to 1000"
    try:
        number = float(value)
    except ValueError:
        raise ValueError(allowed) from None
    if not 0 <= number <= 1000:
        raise ValueError(allowed)
    return number


def money(value: str) -> Decimal:
    """Read an amount of money, exactly."""
    allowed = "an amount like 2.50, from 0 to 1000000"
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError(allowed) from None
    if not amount.is_finite() or not 0 <= amount <= 1_000_000:
        raise ValueError(allowed)
    return amount
