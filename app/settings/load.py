"""Reading the environment into a model. The only reader of os.environ, run.py and tools aside.

An empty value means the default. A bad one stops the start with its name, its value and what is
allowed; values of secrets are not repeated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.settings.listing import is_secret, section_of, unit_of

Model = TypeVar("Model", bound="AllSettings")
IN_WORDS = {"s": "seconds", "days": "days"}


class BadSetting(Exception):
    """A setting that stops the start; the text is for the operator."""


class AllSettings(BaseSettings):
    """Sections, in one. By itself it reads nothing: what it is not given has its default."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given alone; load() gives what the environment says."""
        return (init_settings,)


class Environment(PydanticBaseSettingsSource):
    """One variable a setting, named like it in upper case, whatever section it is in. A list is
    separated by commas."""

    def __init__(self, model: type[BaseSettings], environ: Mapping[str, str]) -> None:
        super().__init__(model)
        self._environ = environ

    def __call__(self) -> dict[str, Any]:
        """Return what is written, section by section; what is not is left out."""
        return self._section(self.settings_cls)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return one section or setting, None if nothing is written; its name; False: no JSON."""
        section = section_of(field)
        if section is not None:
            return self._section(section), field_name, False
        value = written(self._environ, field_name)
        if get_origin(field.annotation) is tuple:
            return [part.strip() for part in value.split(",") if part.strip()], field_name, False
        return value, field_name, False

    def _section(self, model: type[BaseModel]) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0] for name, field in model.model_fields.items()
        }
        return {name: value for name, value in values.items() if value}


def load(model: type[Model], environ: Mapping[str, str] | None = None) -> Model:
    """Return the settings of the environment (os.environ by default). Raises BadSetting, with a
    line for each that is bad."""
    environ = os.environ if environ is None else environ
    try:
        return model(**Environment(model, environ)())
    except ValidationError as error:
        lines = [_explained(model, details, environ) for details in error.errors()]
        raise BadSetting("\n".join(dict.fromkeys(lines))) from None


def environment() -> Mapping[str, str]:
    """Return the process's own, for files that settings name and that may name its variables."""
    return os.environ


def written(environ: Mapping[str, str], name: str) -> str:
    """Return what the environment says of a setting."""
    return environ.get(name.upper(), "").strip()


def _explained(model: type[BaseModel], error: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    section: type[BaseModel] | None = model
    for name in map(str, error["loc"]):
        assert section is not None
        field = section.model_fields[name]
        section = section_of(field)
        if section is None:
            value = written(environ, name)
            shown = "(not shown)" if is_secret(field) or _has_secret(value) else repr(value)
            return f"{name.upper()} is {shown}; it must be {_allowed(field, error)}."
    return str(error["ctx"]["error"])  # of settings that do not go together


def _has_secret(value: str) -> bool:
    """Tell whether it is an address with a password or, in its query, a key in it."""
    return "@" in value or "://" in value and "?" in value


def _allowed(field: FieldInfo, error: Mapping[str, Any]) -> str:
    """Return what the setting may be: as its own check says, else by its type and bounds."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    kind = field.annotation
    if kind is bool:
        return "1 or 0"
    least = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    most = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    if kind is int:
        return f"a whole number from {least} to {most}"
    if kind is Decimal:
        return f"an amount like 2.50, from {least} to {most}"
    if kind is float:
        return f"{IN_WORDS.get(unit_of(field), 'a number')} from {least:g} to {most:g}"
    return f"one of {', '.join(word for word in get_args(kind) if word)}"
