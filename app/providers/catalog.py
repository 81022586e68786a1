"""The catalog: which provider answers. A name maps to a provider, or to the setting it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from app.core.errors import InvalidRequest, ProviderNotConfigured
from app.providers.listing import ModelLists
from app.providers.sights import by_name
from app.providers.wire.adapting import Adaptations
from app.runs.ports import Choice, Provider


class ProviderCatalog:
    """Request > DEFAULT_PROVIDER > first that is set up > demo."""

    def __init__(
        self,
        configured: Mapping[str, Provider],
        missing: Mapping[str, str],
        demo: Provider,
        default: str,
        aliases: Mapping[str, str] = MappingProxyType({}),
        adaptations: Mapping[str, Adaptations] = MappingProxyType({}),
        lists: ModelLists | None = None,
    ) -> None:
        self._configured = dict(configured)
        self._missing = dict(missing)  # name -> the setting it lacks
        self._demo = demo
        self._default = default
        self._aliases = dict(aliases)
        self._adaptations = dict(adaptations)
        self._lists = lists

    def choose(self, name: str | None) -> Provider:
        """Return the provider of that name, or the default one. Raises InvalidRequest,
        ProviderNotConfigured."""
        name = name or self._default
        if not name:
            return next(iter(self._configured.values()), self._demo)
        name = self._aliases.get(name, name)
        if name in self._configured:
            return self._configured[name]
        if name == self._demo.name:
            return self._demo
        if name in self._missing:
            raise ProviderNotConfigured(name, self._missing[name])
        known = ", ".join(sorted({*self._configured, *self._missing, self._demo.name}))
        raise InvalidRequest({"provider": f"must be one of {known}"})

    def provider_of(self, model: str) -> str | None:
        """Return the name of the provider that has the model, None for one that nobody lists."""
        providers = self.providers()
        own = (one.name for one in providers if one.default_model == model)
        listed = (one.name for one in providers if model in self._listed(one.name))
        return next(own, None) or next(listed, None)

    def models(self) -> list[tuple[str, Provider]]:
        """Return the models that are known, each once, with who has it: a provider's own first."""
        providers = self.providers()
        models: dict[str, Provider] = {}
        for one in providers:
            models.setdefault(one.default_model, one)
        for one in providers:
            for model in self._listed(one.name):
                models.setdefault(model, one)
        return list(models.items())

    def takes_images(self, provider: Provider, model: str) -> bool | None:
        """Return whether the provider's model takes pictures; None where nobody knows."""
        if "image" not in provider.parameters:
            return False
        listed = self._lists.takes_images(provider.name, model) if self._lists else None
        return by_name(model) if listed is None else listed

    def refresh(self) -> None:
        """Have servers asked for their models, where what is known of them is old."""
        if self._lists is not None:
            self._lists.refresh()

    def _listed(self, name: str) -> tuple[str, ...]:
        return self._lists.of(name) if self._lists is not None else ()

    def providers(self) -> list[Provider]:
        """Return those that can be chosen, the default first."""
        return [self.choose(name) for name in self.names()]

    def names(self) -> list[str]:
        """Return what can be chosen, the default first."""
        default = self.choose(None).name
        return [default, *(n for n in (*self._configured, self._demo.name) if n != default)]

    def choices(self) -> list[Choice]:
        """Return what can be chosen, the default first, then what lacks a setting."""
        ready = [self._choice(one) for one in self.providers()]
        return ready + [Choice(name, None, lacks) for name, lacks in self._missing.items()]

    def _choice(self, one: Provider) -> Choice:
        models = tuple(dict.fromkeys([one.default_model, *self._listed(one.name)]))
        images = {model: self.takes_images(one, model) for model in models}
        return Choice(one.name, one.default_model, None, self._adapted(one.name), models, images)

    def _adapted(self, name: str) -> Mapping[str, Sequence[str]]:
        known = self._adaptations.get(name)
        return known.all() if known is not None else {}
