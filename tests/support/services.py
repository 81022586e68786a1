"""What tests need besides Python's packages: skipped where it is missing, and where
REQUIRE_SERVICES=1 says that nothing may be, failed."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test, or fail it; say what would bring what is missing."""
    reason = f"{what}: {remedy}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason} (REQUIRE_SERVICES=1)")
    pytest.skip(reason)
