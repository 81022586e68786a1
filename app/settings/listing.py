"""What a model declares, for people: its settings as rows; and its secrets, for the log filter.

A setting's sentence is the string below it. It is looked up in the source, when somebody asks:
at the start that would cost more than all else about settings.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from annotated_types import Unit
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

# Of an address: before its host, or in its query.
_PASSWORD = re.compile(r"(?<=://)[^/?#@:]*:([^/?#@]+)@|[?&]password=([^&#]+)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row; the default is as it would be written."""

    name: str
    default: str
    unit: str
    sentence: str
    secret: bool


def settings_of(model: type[BaseModel]) -> list[Setting]:
    """Return the settings of all sections, in the order they are declared in."""
    rows = []
    sentences = _sentences(model)
    for name, field in model.model_fields.items():
        section = section_of(field)
        rows += [_row(name, field, sentences)] if section is None else settings_of(section)
    return rows


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Yield every secret that is set, whatever section it is in."""
    for _, value in settings:
        if isinstance(value, BaseModel):
            yield from secrets_of(value)
        elif isinstance(value, SecretStr) and value:
            yield value.get_secret_value()
        elif isinstance(value, str):
            yield from _passwords_in(value)


def _passwords_in(value: str) -> Iterator[str]:
    """Yield the password of an address, as it is written and as it is meant."""
    for found in _PASSWORD.finditer(value):
        password = found[1] or found[2]
        yield from {password, unquote(password)}


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a field is; None for a setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def unit_of(field: FieldInfo) -> str:
    """Return the unit, the empty text where there is none."""
    return next((mark.unit for mark in field.metadata if isinstance(mark, Unit)), "")


def is_secret(field: FieldInfo) -> bool:
    """Whether its value is never to be shown."""
    return field.annotation is SecretStr


def _sentences(model: type[BaseModel]) -> dict[str, str]:
    """Return the string below each field of the class."""
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                found[field.target.id] = str(below.value.value)
    return found


def _row(name: str, field: FieldInfo, sentences: dict[str, str]) -> Setting:
    return Setting(
        name=name.upper(),
        default=_written(field.default),
        unit=unit_of(field),
        sentence=sentences[name],
        secret=is_secret(field),
    )


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)
