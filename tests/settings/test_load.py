"""What the environment says becomes sections, or a line for each setting that is bad."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import pytest
from annotated_types import Unit
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, model_validator

from app.settings import AllSettings, BadSetting, load


def even(value: int) -> int:
    if value % 2:
        raise ValueError("an even number")
    return value


class Inner(BaseModel):
    key: SecretStr = SecretStr("")
    ratio: Annotated[float, Unit("times")] = Field(default=1, ge=0, le=10, allow_inf_nan=False)


class Outer(BaseModel):
    inner: Inner = Inner()
    wait_s: Annotated[float, Unit("s")] = Field(default=5, ge=0.05, le=60, allow_inf_nan=False)
    keep_days: Annotated[float, Unit("days")] = Field(default=0, ge=0, le=36500)


class Section(BaseModel):
    name: str = "a"
    mode: Literal["", "off", "on"] = ""
    count: int = Field(default=2, ge=0, le=10)
    pairs: Annotated[int, AfterValidator(even)] = 0
    is_on: bool = True
    words: tuple[str, ...] = ()
    price: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _go_together(self) -> Section:
        if self.name == "b" and self.count == 9:
            raise ValueError("NAME and COUNT do not go together.")
        return self


class Example(AllSettings):
    section: Section = Section()
    outer: Outer = Outer()


def refused(**environ: str) -> str:
    with pytest.raises(BadSetting) as bad:
        load(Example, environ)
    return str(bad.value)


def test_nothing_written_means_the_defaults() -> None:
    assert load(Example, {}) == load(Example, {"NAME": "", "COUNT": "  "}) == Example()


def test_a_setting_is_found_in_its_section_by_its_name() -> None:
    settings = load(Example, {"NAME": " b ", "COUNT": "3", "RATIO": "0.5", "KEY": "k", "X": "y"})

    assert (settings.section.name, settings.section.count) == ("b", 3)
    assert (settings.outer.inner.ratio, settings.outer.wait_s) == (0.5, 5)
    assert settings.outer.inner.key.get_secret_value() == "k"


def test_only_what_is_written_counts_as_set() -> None:
    section = load(Example, {"NAME": "a", "MODE": ""}).section
    assert section.model_fields_set == {"name"}


def test_a_section_by_the_name_of_a_variable_is_not_read_from_it() -> None:
    assert load(Example, {"SECTION": '{"name": "b"}'}) == Example()


def test_the_environment_of_the_process_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "from outside")

    assert load(Example).section.name == "from outside"
    assert Example().section.name == "a"


@pytest.mark.parametrize(
    "written,words",
    [("a", ("a",)), (" a , b,, c ,", ("a", "b", "c")), (",", ())],
)
def test_a_list_is_separated_by_commas(written: str, words: tuple[str, ...]) -> None:
    assert load(Example, {"WORDS": written}).section.words == words


@pytest.mark.parametrize("written", ["1", "true", "Yes", "ON"])
@pytest.mark.parametrize("value", [True, False])
def test_yes_and_no_have_several_words(written: str, value: bool) -> None:
    opposite = {"1": "0", "true": "FALSE", "Yes": "no", "ON": "off"}
    environ = {"IS_ON": written if value else opposite[written]}
    assert load(Example, environ).section.is_on is value


@pytest.mark.parametrize(
    "name,value,allowed",
    [
        ("MODE", "maybe", "one of off, on"),
        *(
            ("COUNT", v, "a whole number from 0 to 10")
            for v in ("11", "-1", "x", "1.5", "9" * 5000)
        ),
        ("PAIRS", "3", "an even number"),
        ("IS_ON", "maybe", "1 or 0"),
        *(("WAIT_S", v, "seconds from 0.05 to 60") for v in ("nan", "inf", "0", "x")),
        ("KEEP_DAYS", "-1", "days from 0 to 36500"),
        ("RATIO", "x", "a number from 0 to 10"),
        *(("PRICE", v, "an amount like 2.50, from 0 to 1000000") for v in ("NaN", "-1", "x")),
    ],
)
def test_a_bad_value_is_told_what_is_allowed(name: str, value: str, allowed: str) -> None:
    assert refused(**{name: value}) == f"{name} is {value!r}; it must be {allowed}."


def test_every_bad_setting_has_a_line() -> None:
    lines = refused(COUNT="x", WAIT_S="y").splitlines()
    assert [line.split()[0] for line in lines] == ["COUNT", "WAIT_S"]


def test_settings_that_do_not_go_together_say_so_in_their_own_words() -> None:
    assert refused(NAME="b", COUNT="9") == "NAME and COUNT do not go together."


@pytest.mark.parametrize("name", ["MODE", "COUNT"])
def test_an_address_with_a_user_is_not_repeated(name: str) -> None:
    assert refused(**{name: "http://me:hush@host"}).startswith(f"{name} is (not shown); ")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Example().section = Section()
