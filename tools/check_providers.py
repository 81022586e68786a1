"""Try each provider that is set up with one short message, and say in a sentence what is wrong.

`make check`. Reads the same settings as the server; costs a few tokens a provider.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from dotenv import find_dotenv, load_dotenv

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.core.entries import TEXT, TOOL_READY  # noqa: E402
from app.core.messages import ProviderMessage, text_parts  # noqa: E402
from app.core.run_errors import RunError  # noqa: E402
from app.core.runs import ProviderRequest  # noqa: E402
from app.providers.build import Vendors, rows  # noqa: E402
from app.runs.ports import Clock, Provider  # noqa: E402
from app.runtimes.threads import ThreadRuntime  # noqa: E402
from app.settings import BadSetting  # noqa: E402
from app.wiring import Settings, load_settings, read_catalog, read_prices  # noqa: E402

PATIENCE_S = 60.0
PING = {"type": "function", "function": {"name": "ping", "description": "Tell that it is alive."}}
MAX_TOKENS = 200  # a thinking model needs some before it says a word


def main() -> int:
    """Try them; return 1 if one does not work."""
    load_dotenv(find_dotenv(usecwd=True))
    try:
        settings = load_settings()
        read_prices(settings.usage.prices_file)
        catalog = read_catalog(_without_second_tries(settings), ThreadRuntime(), Clock())
    except BadSetting as error:
        print(error)
        return 1
    works = True
    for choice in catalog.choices():
        if choice.missing:
            print(f"{choice.name}: not set up: set {choice.missing} in .env")
        else:
            works = _try(catalog.choose(choice.name)) and works
    return 0 if works else 1


def _without_second_tries(settings: Settings) -> Settings:
    once = settings.providers.model_copy(update={"max_retries": 0, "fallback_providers": ()})
    return settings.model_copy(update={"providers": once})


def _try(provider: Provider) -> bool:
    print(f"{provider.name} ({provider.default_model}): ", end="", flush=True)
    said: list[str] = []
    # A thread, since a server may be silent for as long as it likes.
    asking = threading.Thread(target=_ask, args=(provider, said), daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    silent = f"said nothing for {PATIENCE_S:g} s"
    works, sentence = (said[0] == "works", said[1]) if said else (False, silent)
    print(sentence, flush=True)
    return works


def _ask(provider: Provider, said: list[str]) -> None:
    message = ProviderMessage("user", text_parts("Answer with the one word: hello"))
    request = ProviderRequest(
        (message,), provider.default_model, max_tokens=MAX_TOKENS, paced=False
    )
    began = time.monotonic()
    try:
        pieces = [piece for batch in provider.stream(request) for piece in batch]
    except RunError as error:
        said += ["fails", _explained(provider.name, error)]
        return
    text = "".join(data for kind, data in pieces if kind == TEXT)
    seconds = time.monotonic() - began
    tools = _tools_of(provider)
    said += ["works", f"works: {len(text)} characters in {seconds:.1f} s{tools}"]


def _tools_of(provider: Provider) -> str:
    """Return what it makes of a tool: a failure there is none of the provider's."""
    if "tools" not in provider.parameters:
        return "; takes no tools"
    message = ProviderMessage("user", text_parts("Call the tool ping.\n/call ping"))
    request = ProviderRequest(
        (message,),
        provider.default_model,
        max_tokens=MAX_TOKENS,
        paced=False,
        parameters={"tools": [PING]},
    )
    try:
        called = any(kind == TOOL_READY for batch in provider.stream(request) for kind, _ in batch)
    except RunError as error:
        return f"; with tools it {_explained(provider.name, error)}"
    return "; calls tools" if called else "; was given a tool and called none"


def _explained(name: str, error: RunError) -> str:
    vendor = rows(Vendors()).get(name)
    key, address, model = vendor.variables if vendor else ("", "", "")
    sentence = {
        "upstream_auth": f"refused: {key}",
        "upstream_refused": f"cannot be reached: {address}, or the network",
        "upstream_rejected": f"refuses the request: {model}, or a parameter",
        "upstream_not_found": f"knows no such model, or is no model server: {model}, {address}",
        "upstream_context": f"takes no prompt of that length: {model}",
        "upstream_credit": "answers, but the account has no credit: look at its billing",
        "upstream_proxy": "cannot be reached through the proxy: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY",
        "upstream_blocked": f"is behind a firewall that blocks us, or is not for here: {address}",
        "upstream_filtered": "answers, but its content filter refuses a harmless message",
        "upstream_error": "fails, or redirects: look at its own log",
        "upstream_malformed": f"answers in no form that can be read: {address}",
        "upstream_rate_limited": "answers, but limits us: wait, or look at its quota and billing",
        "upstream_incomplete": f"answers, but with no reply of its kind: {address}",
        "upstream_timeout": f"takes too long: {address}, or the network",
    }.get(error.code, f"fails: {error.code}")
    said = error.said  # cleaned; nobody but the operator reads this
    told = [said.status and f"status {said.status}", said.code, said.message] if said else []
    why = ", ".join(str(one) for one in told if one)
    return f"{sentence} ({why})" if why else sentence


if __name__ == "__main__":
    sys.exit(main())
