"""The providers, made from their settings: each with its retries and fallbacks, and the catalog of
them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from app.providers.anthropic.provider import AnthropicSettings
from app.providers.catalog import ProviderCatalog
from app.providers.demo import DemoProvider
from app.providers.google.provider import GoogleSettings
from app.providers.http.streams import Bounds, Certificates, Reader
from app.providers.listing import Lister, ModelLists
from app.providers.local import LocalSettings
from app.providers.openai.provider import OpenAISettings
from app.providers.settings import SECTION, NotSetUp, ProviderSettings, Variables
from app.providers.wire.telling import Words
from app.providers.wrappers.breaker import Breaker, Breakers
from app.providers.wrappers.complete import Pacing, StreamOrWhole, WithWhole
from app.providers.wrappers.fault import FaultProvider, parse_fault
from app.providers.wrappers.recording import Recording
from app.providers.wrappers.replay import ReplayProvider
from app.providers.wrappers.retries import Guarded, Resilient, RetryRules, Timing, Waits
from app.runs.ports import Clock, Provider, RunLimits, Runtime, own_patience_s

READ_TIMEOUT_SLACK_S = 30  # the deadlines of runs are the ticker's; a socket's is a last resort
# Of a run's own times: the chain's deadline has to come before the run's.
CHAIN_SHARE = 0.95
Providers = dict[str, Provider]


class ProviderRuntime(Runtime, Protocol):
    """What providers need of a runtime: time, deadlines, and readers of connections."""

    def reader_of(self, connection: Any) -> Reader | None:
        """Return what reads this socket at less cost than its own recv; None if nothing does."""


class Vendors(BaseModel):
    """Every kind of server there is a provider for, in the order they are chosen in."""

    model_config = SECTION

    openai: OpenAISettings = OpenAISettings()
    google: GoogleSettings = GoogleSettings()
    anthropic: AnthropicSettings = AnthropicSettings()
    local: LocalSettings = LocalSettings()


class Vendor(Protocol):
    """What each of the vendors' settings offers."""

    aliases: ClassVar[tuple[str, ...]]  # other names that a request may use
    variables: ClassVar[Variables]

    @property
    def streams(self) -> bool:
        """Whether it is asked for streams; else for whole replies."""

    def provider(self, name: str, bounds: Bounds, alone: bool) -> StreamOrWhole | None:
        """Return the provider, None if it is not set up. `alone`: nor is any before it."""


def rows(vendors: Vendors) -> dict[str, Vendor]:
    """Return the vendors by name."""
    return dict(vendors)


def aliases() -> dict[str, str]:
    """Return the other names that vendors answer to, with their own."""
    return {alias: name for name, vendor in rows(Vendors()).items() for alias in vendor.aliases}


def make_providers(vendors: Vendors, bounds: Bounds) -> dict[str, StreamOrWhole]:
    """Return a provider for each vendor that is set up. Raises NotSetUp for what the environment
    says of the network and cannot be used."""
    made: dict[str, StreamOrWhole] = {}
    for name, vendor in rows(vendors).items():
        provider = vendor.provider(name, bounds, alone=not made)
        if provider is not None:
            made[name] = provider
    return made


def make_catalog(
    settings: ProviderSettings,
    vendors: Vendors,
    limits: RunLimits,
    runtime: ProviderRuntime,
    clock: Clock,
    given: Mapping[str, Provider] | None = None,
) -> ProviderCatalog:
    """Return the providers that are set up, and what the others lack; `given` go before them.

    Raises NotSetUp.
    """
    demo = DemoProvider(runtime.sleep, settings.stream_chunk_words, settings.stream_delay_s)
    table = rows(vendors)
    made = make_providers(vendors, _bounds(settings, limits, runtime))
    real = {**(given or {}), **_whole_too(settings, table, made, runtime)}
    adaptations = {name: one.adaptations for name, one in made.items()}
    missing = {name: row.variables.lacks for name, row in table.items() if name not in real}
    if settings.record_dir:
        real = {name: Recording(one, settings.record_dir, clock) for name, one in real.items()}
    behind: Providers = {**real, demo.name: demo}
    spoilt = _spoilt(settings, behind, runtime)
    if spoilt is None:
        missing["fault"] = "FAULT"
    else:
        behind["fault"] = spoilt
    chains = _with_fallbacks(settings, limits, runtime, clock, behind)
    if settings.replay_dir:  # by itself: a failure that was recorded is played, not tried again
        chains["replay"] = ReplayProvider(
            settings.replay_dir, runtime.sleep, clock.monotonic, settings.replay_speed
        )
    else:
        missing["replay"] = "REPLAY_DIR"
    default = _default(settings.default_provider, chains, missing)
    configured = {name: one for name, one in chains.items() if name != demo.name}
    lists = _lists(settings, made, runtime, clock)
    return ProviderCatalog(
        configured, missing, chains[demo.name], default, aliases(), adaptations, lists
    )


def _spoilt(
    settings: ProviderSettings, providers: Providers, runtime: ProviderRuntime
) -> Provider | None:
    """Return a provider with the fault of FAULT, None without one. Raises NotSetUp."""
    fault = parse_fault(settings.fault)
    if fault is None:
        return None
    name = _named("FAULT_PROVIDER", settings.fault_provider, providers)
    return FaultProvider(providers[name], fault, runtime.sleep)


def _lists(
    settings: ProviderSettings,
    made: Mapping[str, StreamOrWhole],
    runtime: ProviderRuntime,
    clock: Clock,
) -> ModelLists:
    listers = {name: one for name, one in made.items() if isinstance(one, Lister)}
    return ModelLists(listers, settings.models_ttl_s, runtime, clock.monotonic)


def _default(written: str, made: Providers, missing: Mapping[str, str]) -> str:
    """Return the default provider's own name. Raises NotSetUp."""
    name = aliases().get(written, written)
    if name in missing:
        raise NotSetUp(
            f"DEFAULT_PROVIDER is {written!r}, which is not set up; set {missing[name]}."
        )
    if name and name not in made:
        allowed = ", ".join([*made, *missing, *aliases()])
        raise NotSetUp(f"DEFAULT_PROVIDER is {written!r}; it must be one of {allowed}.")
    return name


def _bounds(settings: ProviderSettings, limits: RunLimits, runtime: ProviderRuntime) -> Bounds:
    return Bounds(
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=limits.run_timeout_s + READ_TIMEOUT_SLACK_S,
        max_reply_bytes=limits.max_reply_bytes,
        reader_of=runtime.reader_of,
        certificates=Certificates(settings.ssl_cert_file, settings.ssl_cert_dir),
        words=Words(settings.log_upstream_errors, settings.show_upstream_errors),
    )


def _whole_too(
    settings: ProviderSettings,
    table: Mapping[str, Vendor],
    made: Mapping[str, StreamOrWhole],
    runtime: ProviderRuntime,
) -> Providers:
    pacing = Pacing(settings.stream_chunk_words, settings.stream_delay_s, runtime.sleep)
    return {
        name: WithWhole(one, pacing, table[name].streams, own_patience_s(table[name]))
        for name, one in made.items()
    }


def _with_fallbacks(
    settings: ProviderSettings,
    limits: RunLimits,
    runtime: ProviderRuntime,
    clock: Clock,
    providers: Providers,
) -> Providers:
    fallbacks = [
        _named("FALLBACK_PROVIDERS", one, providers) for one in settings.fallback_providers
    ]
    return chained(
        providers,
        fallbacks,
        lambda: Breaker(settings.breaker_failures, settings.breaker_s, clock.monotonic),
        settings,
        lambda provider: _waits(provider, limits),
        Timing(runtime.sleep, runtime.deadline, clock.monotonic, random.random),
    )


def _waits(provider: Provider, limits: RunLimits) -> Waits:
    """Return how long the chain waits that begins with this provider."""
    own_s = own_patience_s(provider)
    first_s = limits.first_delta_timeout_s if own_s is None else own_s
    return Waits(CHAIN_SHARE * first_s, CHAIN_SHARE * limits.delta_timeout_s)


def chained(
    providers: Mapping[str, Provider],
    fallbacks: Sequence[str],
    new_breaker: Callable[[], Breaker],
    rules: RetryRules,
    waits: Callable[[Provider], Waits],
    timing: Timing,
) -> Providers:
    """Return each provider with the fallbacks, less itself, behind it, under its own name.

    Raises ValueError for a fallback that is none of the providers; its text says which are.
    """
    for name in fallbacks:
        if name not in providers:
            raise ValueError(f"names of {', '.join(sorted(providers))}, separated by commas")
    guarded = {
        name: Guarded(provider, Breakers(new_breaker)) for name, provider in providers.items()
    }
    order = dict.fromkeys(fallbacks)  # a name that is there twice counts once
    return {
        name: Resilient(
            [first, *(guarded[other] for other in order if other != name)],
            rules,
            waits(first.provider),
            timing,
        )
        for name, first in guarded.items()
    }


def _named(setting: str, written: str, providers: Providers) -> str:
    """Return the provider's own name. Raises NotSetUp for one that is not set up."""
    name = aliases().get(written, written)
    if name not in providers:
        allowed = ", ".join(sorted(providers))
        raise NotSetUp(f"{setting} has {written!r}; it must be one that is set up: {allowed}.")
    return name
