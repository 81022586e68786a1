"""The models that servers list: read from each wire's answer, asked again when it is old."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.run_errors import UpstreamRefused
from app.providers.catalog import ProviderCatalog
from app.providers.google.provider import GoogleProvider
from app.providers.http.streams import Bounds
from app.providers.listing import AGAIN_S, MAX_NAME, MOST_MODELS, ModelLists, names_in
from tests.support.clock import HandClock
from tests.support.manual import ManualRuntime
from tests.support.scripted import ScriptedProvider


class Listing:
    """A server's list, or what is raised in its place."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    def list_models(self) -> list[str]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        listed: list[str] = answer
        return listed


def lists_of(runtime: ManualRuntime, ttl_s: float = 300, **listings: Listing) -> ModelLists:
    return ModelLists(listings, ttl_s, runtime, runtime.clock.clock.monotonic)


def refreshed(lists: ModelLists, runtime: ManualRuntime) -> None:
    lists.refresh()
    runtime.run()


@pytest.fixture
def runtime(clock: HandClock) -> ManualRuntime:
    return ManualRuntime(clock)


def test_a_list_is_asked_for_again_when_it_is_old(runtime: ManualRuntime) -> None:
    listing = Listing(["a"], ["b"])
    lists = lists_of(runtime, one=listing)
    assert lists.of("one") == ()
    for _ in range(2):
        refreshed(lists, runtime)
        assert (lists.of("one"), listing.asked) == (("a",), 1)
    runtime.clock.advance(300)
    refreshed(lists, runtime)
    assert (lists.of("one"), lists.of("two")) == (("b",), ())


def test_a_server_that_is_slow_is_asked_once_and_holds_nobody_up(runtime: ManualRuntime) -> None:
    slow, quick = Listing(["a"]), Listing(["b"])
    lists = lists_of(runtime, slow=slow, quick=quick)
    lists.refresh()
    lists.refresh()
    runtime.run()
    assert (slow.asked, quick.asked) == (1, 1)


@pytest.mark.parametrize("fault", [UpstreamRefused(), ValueError(), TimeoutError()])
def test_a_list_that_cannot_be_had_leaves_the_one_before(
    runtime: ManualRuntime, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    listing = Listing(["a"], fault, fault, ["b"])
    lists = lists_of(runtime, one=listing)
    refreshed(lists, runtime)
    runtime.clock.advance(300)
    refreshed(lists, runtime)
    assert lists.of("one") == ("a",)
    runtime.clock.advance(AGAIN_S)
    refreshed(lists, runtime)
    assert len([one for one in caplog.records if one.message == "models are not listed"]) == 1
    runtime.clock.advance(AGAIN_S)
    refreshed(lists, runtime)
    assert lists.of("one") == ("b",)


def test_nobody_is_asked_where_that_is_turned_off(runtime: ManualRuntime) -> None:
    listing = Listing(["a"])
    refreshed(lists_of(runtime, ttl_s=0, one=listing), runtime)
    assert listing.asked == 0


@pytest.mark.parametrize(
    "listed, found",
    [
        ({"data": []}, []),
        ({"data": [{"id": "a"}, {"id": "b", "more": 1}, {"id": "a"}]}, ["a", "b"]),
        ({"data": [{"id": 5}, {}, "a", None, {"id": ""}, {"id": "\n"}]}, []),
        ({"data": [{"id": "x" * MAX_NAME}, {"id": "x" * (MAX_NAME + 1)}]}, ["x" * MAX_NAME]),
        ({"data": [{"id": str(n)} for n in range(9999)]}, [str(n) for n in range(MOST_MODELS)]),
    ],
)
def test_names_are_taken_that_can_be_asked_for(listed: Any, found: list[str]) -> None:
    assert names_in(listed, "data", "id") == found


@pytest.mark.parametrize("listed", [None, [], "a", {}, {"data": {"id": "a"}}, {"data": None}])
def test_what_is_no_list_is_none(listed: Any) -> None:
    with pytest.raises(ValueError):
        names_in(listed, "data", "id")


def test_gemini_says_which_of_its_models_reply() -> None:
    provider = GoogleProvider("google", "k", "http://localhost:1", "m", Bounds(1, 1, 1))
    replies = {"supportedGenerationMethods": ["generateContent"]}
    vectors = {"supportedGenerationMethods": ["embedContent"]}
    listed = {
        "models": [
            {"name": "models/a", **replies},
            {"name": "models/b", **vectors},
            {"name": "models/c"},
        ]
    }
    assert provider._named(listed) == ["a", "c"]


# --- who answers ----------------------------------------------------------------------------------


def named(name: str) -> ScriptedProvider:
    made = ScriptedProvider()
    made.name, made.default_model = name, f"{name}-own"
    return made


@pytest.fixture
def catalog(runtime: ManualRuntime) -> ProviderCatalog:
    first, second, demo = map(named, ("first", "second", "demo"))
    lists = lists_of(
        runtime, first=Listing(["both", "mine", "second-own"]), second=Listing(["both", "theirs"])
    )
    made = ProviderCatalog(
        {"first": first, "second": second},
        {},
        demo,
        "second",
        lists=lists,
    )
    refreshed(lists, runtime)
    return made


@pytest.mark.parametrize(
    "model, provider",
    [
        ("mine", "first"),
        ("theirs", "second"),
        ("both", "second"),  # the default one
        ("second-own", "second"),  # its own goes before what is listed
        ("first-own", "first"),
        ("nobody's", None),
    ],
)
def test_who_lists_a_model_is_asked_for_it(
    catalog: ProviderCatalog, model: str, provider: str | None
) -> None:
    assert catalog.provider_of(model) == provider


def test_models_are_listed_once_each_providers_own_first(catalog: ProviderCatalog) -> None:
    assert [(model, one.name) for model, one in catalog.models()] == [
        ("second-own", "second"),
        ("first-own", "first"),
        ("demo-own", "demo"),
        ("both", "second"),
        ("theirs", "second"),
        ("mine", "first"),
    ]
    models = {choice.name: list(choice.models) for choice in catalog.choices()}
    assert models["second"] == ["second-own", "both", "theirs"]
