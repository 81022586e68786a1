"""The providers, made from the settings: each with its retries and fallbacks, and the catalog of
them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.providers.catalog import ALIASES, ProviderCatalog
from app.providers.demo import DemoProvider
from app.providers.google import GoogleProvider
from app.providers.local import DEFAULT_BASE_URL, find_model
from app.providers.openai import OpenAICompatible
from app.providers.wire.http import ReaderOf, no_reader
from app.providers.wrappers.complete import Pacing, StreamOrWhole, WithWhole
from app.providers.wrappers.fault import FaultProvider
from app.providers.wrappers.recording import Recording
from app.providers.wrappers.replay import ReplayProvider
from app.providers.wrappers.retries import Breaker, Guarded, Resilient, RetryRules, Timing
from app.runs.ports import Clock, Provider, Runtime
from app.settings import BadSetting, Settings

# Every server there is a provider for, and the setting that one without it lacks; in the order
# they are chosen in.
LACKS = {"openai": "OPENAI_API_KEY", "google": "GEMINI_API_KEY", "local": "LOCAL_LLM_URL"}


@dataclass(frozen=True, slots=True)
class ModelServer:
    """One server: its key if it needs one, its address, the model asked for by default."""

    api_key: str
    base_url: str
    model: str
    max_tokens_field: str = ""  # of OpenAI-compatible ones; "" goes by the address


def make_providers(
    servers: Mapping[str, ModelServer],
    read_timeout_s: float,
    max_reply_bytes: int,
    connect_timeout_s: float = 5.0,
    reader_of: ReaderOf = no_reader,
) -> dict[str, StreamOrWhole]:
    """Return a provider for each of these servers, in the order of LACKS."""
    bounds = {
        "connect_timeout_s": connect_timeout_s,
        "read_timeout_s": read_timeout_s,
        "max_reply_bytes": max_reply_bytes,
        "reader_of": reader_of,
    }
    return {name: _make(name, servers[name], bounds) for name in LACKS if name in servers}


def _make(name: str, server: ModelServer, bounds: dict[str, Any]) -> StreamOrWhole:
    where = (server.api_key, server.base_url, server.model)
    if name == "google":
        return GoogleProvider(name, *where, **bounds)
    field = "max_tokens" if name == "local" else server.max_tokens_field
    return OpenAICompatible(name, *where, max_tokens_field=field, **bounds)


def chained(
    providers: Mapping[str, Provider],
    fallbacks: Sequence[str],
    new_breaker: Callable[[], Breaker],
    rules: RetryRules,
    timing: Timing,
) -> dict[str, Provider]:
    """Return each provider with the fallbacks, less itself, behind it, under its own name.

    Raises ValueError for a fallback that is none of the providers; its text says which are.
    """
    for name in fallbacks:
        if name not in providers:
            raise ValueError(f"names of {', '.join(sorted(providers))}, separated by commas")
    guarded = {name: Guarded(provider, new_breaker()) for name, provider in providers.items()}
    order = dict.fromkeys(fallbacks)  # a name that is there twice counts once
    return {
        name: Resilient(
            [first, *(guarded[other] for other in order if other != name)], rules, timing
        )
        for name, first in guarded.items()
    }


READ_TIMEOUT_SLACK_S = 30  # the deadlines of runs are the ticker's; a socket's is a last resort
# Of FIRST_DELTA_TIMEOUT_S: the chain's own deadline has to come before the run's.
CHAIN_SHARE = 0.95
Providers = dict[str, Provider]


def make_catalog(
    settings: Settings,
    runtime: Runtime,
    clock: Clock,
    given: Mapping[str, Provider] | None = None,
    reader_of: ReaderOf = no_reader,
) -> ProviderCatalog:
    """Return the providers that are set up, and what the others lack; `given` go before them.

    Raises BadSetting.
    """
    demo = DemoProvider(runtime.sleep, settings.stream_chunk_words, settings.stream_delay_s)
    servers = model_servers(settings)
    real = {**(given or {}), **_real_providers(settings, servers, runtime, reader_of)}
    missing = {name: lacks for name, lacks in LACKS.items() if name not in real}
    if settings.record_dir:
        real = {name: Recording(one, settings.record_dir, clock) for name, one in real.items()}
    behind: Providers = {**real, demo.name: demo}
    if settings.fault is None:
        missing["fault"] = "FAULT"
    else:
        spoilt = _named("FAULT_PROVIDER", settings.fault_provider, behind)
        behind["fault"] = FaultProvider(behind[spoilt], settings.fault, runtime.sleep)
    made = _with_fallbacks(settings, runtime, clock, behind)
    if settings.replay_dir:  # by itself: a failure that was recorded is played, not tried again
        made["replay"] = ReplayProvider(
            settings.replay_dir, runtime.sleep, clock.monotonic, settings.replay_speed
        )
    else:
        missing["replay"] = "REPLAY_DIR"
    default = ALIASES.get(settings.default_provider, settings.default_provider)
    if default in missing:
        raise BadSetting(
            f"DEFAULT_PROVIDER is {settings.default_provider!r}, which is not set up; "
            f"set {missing[default]}."
        )
    configured = {name: one for name, one in made.items() if name != demo.name}
    return ProviderCatalog(configured, missing, made[demo.name], default)


def model_servers(settings: Settings) -> dict[str, ModelServer]:
    """Return the servers that are set up. Where there is none, an Ollama on this machine is looked
    for."""
    found = {}
    if settings.openai_is_set_up:
        found["openai"] = ModelServer(
            settings.openai_api_key,
            settings.openai_base_url,
            settings.openai_model,
            settings.openai_max_tokens_field,
        )
    if settings.gemini_api_key:
        found["google"] = ModelServer(
            settings.gemini_api_key, settings.gemini_base_url, settings.gemini_model
        )
    wanted = settings.local_llm_model
    if settings.local_llm_url:
        root = settings.local_llm_url.removesuffix("/v1")
        model = wanted or find_model(root) or "default"
        found["local"] = ModelServer("", settings.local_llm_url, model)
    elif not found and settings.find_ollama:
        listed = find_model()
        if listed:
            found["local"] = ModelServer("", f"{DEFAULT_BASE_URL}/v1", wanted or listed)
    return found


def _real_providers(
    settings: Settings,
    servers: Mapping[str, ModelServer],
    runtime: Runtime,
    reader_of: ReaderOf,
) -> Providers:
    pacing = Pacing(settings.stream_chunk_words, settings.stream_delay_s, runtime.sleep)
    streams = {
        "openai": settings.openai_stream,
        "google": settings.gemini_stream,
        "local": settings.local_llm_stream,
    }
    made = make_providers(
        servers,
        read_timeout_s=settings.run_timeout_s + READ_TIMEOUT_SLACK_S,
        max_reply_bytes=settings.max_reply_bytes,
        connect_timeout_s=settings.connect_timeout_s,
        reader_of=reader_of,
    )
    return {name: WithWhole(one, pacing, streams[name]) for name, one in made.items()}


def _with_fallbacks(
    settings: Settings, runtime: Runtime, clock: Clock, providers: Providers
) -> Providers:
    fallbacks = [
        _named("FALLBACK_PROVIDERS", one, providers) for one in settings.fallback_providers
    ]
    rules = RetryRules(
        settings.max_retries,
        CHAIN_SHARE * settings.first_delta_timeout_s,
        settings.fallback_after_s,
        settings.retry_after_max_s,
    )
    timing = Timing(runtime.sleep, runtime.deadline, clock.monotonic, random.random)
    return chained(
        providers,
        fallbacks,
        lambda: Breaker(settings.breaker_failures, settings.breaker_s, clock.monotonic),
        rules,
        timing,
    )


def _named(setting: str, name: str, providers: Providers) -> str:
    """Return the provider's own name. Raises BadSetting for one that is not set up."""
    own = ALIASES.get(name, name)
    if own not in providers:
        allowed = ", ".join(sorted(providers))
        raise BadSetting(f"{setting} has {name!r}; it must be one that is set up: {allowed}.")
    return own
