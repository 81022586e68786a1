"""How a library is looked at, and what the log says of one that is not as expected."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace

import pytest

from app.runtimes.tricks import missing, works


class Library:
    value = 1

    def method(self, one: int, two: int = 2) -> None:
        pass


@pytest.mark.parametrize(
    "names,faults",
    [
        ({"value": None, "method": 1}, []),
        ({"method": 2}, []),
        ({"other": None, "further": 3}, ["no other", "no further"]),
        ({"method": 0}, ["method takes other arguments"]),
        ({"method": 3}, ["method takes other arguments"]),
        ({"value": 0}, ["value takes other arguments"]),
    ],
)
def test_what_is_missing_is_named(names, faults):
    assert missing(Library(), names) == faults


def test_a_function_in_c_that_names_no_arguments_is_taken():
    assert missing(SimpleNamespace(update={}.update), {"update": 7}) == []


def test_what_works_is_not_logged(caplog):
    assert works("pytest", "its trick", "another", lambda: [])
    assert caplog.records == []


def test_what_does_not_work_is_one_warning(caplog):
    assert not works("pytest", "its trick", "another serves", lambda: ["no this", "no that"])
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    version = re.escape(pytest.__version__)
    expected = rf"pytest {version}: its trick .* \(no this, no that\); another serves"
    assert re.fullmatch(expected, record.getMessage())


def test_a_check_that_fails_is_a_fault(caplog):
    assert not works("pytest", "its trick", "another serves", lambda: [str(1 // 0)])
    assert "ZeroDivisionError" in caplog.records[0].getMessage()
