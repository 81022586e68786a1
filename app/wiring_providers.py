"""The providers, made from the settings: each with its retries and fallbacks, and the catalog of
them."""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping
from pathlib import Path

from app.chats.chat_rules import TextFilter
from app.providers.breaker import Breaker
from app.providers.catalog import ALIASES, ProviderCatalog
from app.providers.chains import chained
from app.providers.demo import DemoProvider
from app.providers.fault import FaultProvider
from app.providers.find_ollama import DEFAULT_BASE_URL, find_model
from app.providers.model_servers import LACKS, ModelServer, make_providers
from app.providers.recorder import Recording
from app.providers.replay import ReplayProvider
from app.providers.resilient import RetryRules, Timing
from app.providers.whole import Pacing, WithWhole
from app.runs.interfaces import Clock, Provider, Runtime
from app.runs.prices import Prices
from app.settings import BadSetting, Settings

READ_TIMEOUT_SLACK_S = 30  # the deadlines of runs are the ticker's; a socket's is a last resort
# Of FIRST_DELTA_TIMEOUT_S: the chain's own deadline has to come before the run's.
CHAIN_SHARE = 0.95

Providers = dict[str, Provider]


def make_catalog(
    settings: Settings,
    runtime: Runtime,
    clock: Clock,
    given: Mapping[str, Provider] | None = None,
) -> ProviderCatalog:
    """Return the providers that are set up, and what the others lack; `given` go before them.

    Raises BadSetting.
    """
    demo = DemoProvider(runtime.sleep, settings.stream_chunk_words, settings.stream_delay_s)
    servers = model_servers(settings)
    real = {**(given or {}), **_real_providers(settings, servers, runtime)}
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
    settings: Settings, servers: Mapping[str, ModelServer], runtime: Runtime
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
        reader_of=runtime.reader_of,
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


def read_prices(settings: Settings) -> Prices:
    """Return the prices of PRICES_FILE, none without one. Raises BadSetting."""
    if not settings.prices_file:
        return Prices()
    try:
        return Prices.from_text(Path(settings.prices_file).read_text())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadSetting(f"PRICES_FILE is {settings.prices_file!r}: {why}.") from None


def load_filter(settings: Settings) -> TextFilter | None:
    """Return the callable that TEXT_FILTER names. Raises BadSetting."""
    if not settings.text_filter:
        return None
    module, _, name = settings.text_filter.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        raise BadSetting(
            f"TEXT_FILTER is {settings.text_filter!r}; "
            "it must be `module:callable`, of a module that can be imported."
        )
    text_filter: TextFilter = found
    return text_filter
