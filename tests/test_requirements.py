"""What is pinned and locked is the same everywhere."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.test_architecture import MODULES, outside

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==(\S+)", re.MULTILINE)


OPTIONAL = {"gevent"}  # requirements-gevent.txt


def pins(name: str) -> dict[str, str]:
    """Return name and version of each `name==version` line of a requirements file."""
    found = PIN.findall((ROOT / name).read_text())
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


@pytest.mark.parametrize(
    "direct,lock",
    [
        ("requirements.txt", "requirements.lock"),
        ("requirements.txt", "requirements-dev.lock"),
        ("requirements-dev.txt", "requirements-dev.lock"),
        ("requirements-gevent.txt", "requirements-dev.lock"),
    ],
)
def test_lock_holds_every_direct_pin(direct: str, lock: str) -> None:
    assert pins(direct)
    assert pins(direct).items() <= pins(lock).items()


def test_both_locks_agree() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_direct_requirement_is_pinned_exactly(name: str) -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]

    for line in lines:
        assert not line or line.startswith("-r ") or PIN.match(line), line


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash(name: str) -> None:
    for requirement in re.split(r"\n(?=\S)", (ROOT / name).read_text().strip()):
        assert "--hash=sha256:" in requirement, requirement


def test_what_is_imported_is_required() -> None:
    known = packages_distributions()
    imported = {name for module in MODULES for name in outside(module)} - OPTIONAL
    names = {re.sub(r"[-_.]+", "-", known[name][0]).lower() for name in imported}

    assert names <= pins("requirements.txt").keys()
