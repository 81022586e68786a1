"""Who is one caller, and how often one may call."""

from __future__ import annotations

from typing import cast

import pytest
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits.storage import MovingWindowSupport

from app.chats.request import ANONYMOUS, Principal
from app.core.errors import RateLimited
from app.rates.memory import MemoryWindows
from app.transports.guards.rates import Kind, RateLimits, Window, admission, caller_of
from tests.support.options import RateOptions

ANN = Principal(id="user:ann", name="ann", is_admin=False, expires_at=2e9)


def caller(address: str | None) -> str:
    return caller_of(ANONYMOUS, {} if address is None else {"REMOTE_ADDR": address})


@pytest.mark.parametrize(
    "one, other",
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("2001:db8:1:2::1", "2001:0DB8:0001:0002::9"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2%eth0"),
    ],
)
def test_the_same_caller(one: str, other: str) -> None:
    assert caller(one) == caller(other)


@pytest.mark.parametrize(
    "one, other",
    [
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("192.0.2.1", "unix"),
    ],
)
def test_other_callers(one: str, other: str) -> None:
    assert caller(one) != caller(other)


@pytest.mark.parametrize("address", [None, "", "unix", "192.0.2.1:443", "not an address"])
def test_an_address_that_is_none_is_a_caller_too(address: str | None) -> None:
    assert caller(address) == f"address:{address or ''}"


def test_a_subject_is_the_same_caller_from_everywhere() -> None:
    assert caller_of(ANN, {"REMOTE_ADDR": "192.0.2.1"}) == "user:ann"
    assert caller_of(ANN, {"REMOTE_ADDR": "2001:db8::1"}) == "user:ann"


@pytest.fixture
def rates() -> RateLimits:
    limiter = Limiter(get_remote_address, strategy="moving-window", storage_uri="memory://")
    limiter.init_app(Flask("test"))
    windows = MemoryWindows(lambda: cast(MovingWindowSupport, limiter.limiter.storage))
    return RateLimits(windows, RateOptions("2 per minute", "1 per hour", "off"))


def count(rates: RateLimits, kind: Kind, caller: str = "ann") -> Window:
    """Count one more. Raises RateLimited."""
    window = rates.hit(kind, caller)
    assert window is not None
    window.check()
    return window


def test_one_more_than_the_rate_is_refused_with_when_to_come_back(rates: RateLimits) -> None:
    count(rates, "stream")
    count(rates, "stream")
    with pytest.raises(RateLimited) as refused:
        count(rates, "stream")
    assert 1 <= (refused.value.retry_after_s or 0) <= 60


def test_callers_and_kinds_have_buckets_of_their_own(rates: RateLimits) -> None:
    count(rates, "chat", "ann")
    count(rates, "chat", "bob")
    count(rates, "stream", "ann")
    for one in ("ann", "bob"):
        with pytest.raises(RateLimited):
            count(rates, "chat", one)


def test_a_rate_that_is_off_refuses_nobody(rates: RateLimits) -> None:
    assert [rates.hit("read", "ann") for _ in range(1000)] == [None] * 1000


def test_a_start_that_joins_a_run_counts_as_a_read() -> None:
    kinds = list[Kind]()
    admit = admission(kinds.append, "chat")
    admit(False)
    admit(True)
    assert kinds == ["chat", "read"]


def test_window_says_what_is_left_after_each_hit(rates: RateLimits) -> None:
    first, second, third = (rates.hit("stream", "ann") for _ in range(3))
    assert first and second and third

    assert [one.remaining for one in (first, second, third)] == [1, 0, 0]
    assert [one.has_room for one in (first, second, third)] == [True, True, False]
    assert {one[:3] for one in (first, second, third)} == {("stream", 2, 60)}
    # All of them count from the first one on, which is the first to leave.
    assert len({one.reset_at for one in (first, second, third)}) == 1


def test_window_is_told_as_headers_and_in_an_ack() -> None:
    over = Window("chat", 60, 3600, 7, reset_at=1000.5)

    assert over.headers() == {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": "7",
        "X-RateLimit-Reset": "1001",
        "RateLimit-Policy": '"chat";q=60;w=3600',
        "RateLimit": '"chat";r=7;t=1',
    }
    assert over.to_json() == {
        "policy": "chat",
        "limit": 60,
        "window_s": 3600,
        "remaining": 7,
        "reset_s": 1,
    }
