"""What is in static/vendor: the manifest's files, of the versions that tools/vendor pins."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
VENDOR = ROOT / "static" / "vendor"
TOOL = ROOT / "tools" / "vendor"
MANIFEST: list[dict[str, str]] = json.loads((VENDOR / "manifest.json").read_text())
PACKAGES = sorted({item["package"] for item in MANIFEST})


def locked() -> dict[str, Any]:
    """Return the packages of the lock file, by their path."""
    packages: dict[str, Any] = json.loads((TOOL / "package-lock.json").read_text())["packages"]
    return packages


def pinned() -> dict[str, str]:
    pins: dict[str, str] = json.loads((TOOL / "package.json").read_text())["devDependencies"]
    return pins


def files_of(package: str) -> list[str]:
    return [item["file"] for item in MANIFEST if item["package"] == package]


def test_vendored_files_are_those_of_the_manifest() -> None:
    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }

    assert found == {item["file"]: item["sha256"] for item in MANIFEST}


@pytest.mark.parametrize("item", MANIFEST, ids=[item["file"] for item in MANIFEST])
def test_an_entry_says_what_the_lock_says(item: dict[str, str]) -> None:
    package = locked()[f"node_modules/{item['package']}"]

    assert set(item) == {"file", "package", "version", "licence", "sha256"}
    assert (item["version"], item["licence"]) == (package["version"], package["license"])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_pinned_and_its_licence_is_kept(package: str) -> None:
    assert pinned()[package] == locked()[f"node_modules/{package}"]["version"]
    licences = [file for file in files_of(package) if "licen" in file.lower()]
    assert licences and all((VENDOR / file).stat().st_size > 500 for file in licences)


def test_pins_are_exact_and_the_lock_names_no_registry() -> None:
    assert all(version[0].isdigit() for version in pinned().values())
    assert "resolved" not in (TOOL / "package-lock.json").read_text()
    for path, package in locked().items():
        assert not path or package["integrity"].startswith("sha512-"), path


def test_no_module_asks_for_a_source_map_that_is_not_kept() -> None:
    for path in [*VENDOR.glob("*.js"), *VENDOR.glob("*.mjs")]:
        assert "//# sourceMappingURL" not in path.read_text(encoding="utf-8"), path
