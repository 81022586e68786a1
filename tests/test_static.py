"""The modules of static/js: who may import whom, and how long one may be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parent.parent / "static"
JS = STATIC / "js"
FILES = sorted(JS.rglob("*.js"))
ENTRIES = {JS / "tandem-client.js", JS / "use-chat.js"}
MAX_LINES = 300
MAX_WIDTH = 100
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
IMPORT = re.compile(r'^(?:import|export) (?:[^";]* from )?"(\.[^"]+)"', re.MULTILINE)

# What each folder may import of the others; the files at the top are "".
ARROWS = {
    "": {"client"},
    "client": set(),
    "markdown": {"vendor"},
    "page": {"", "markdown"},
    "examples": {"", "markdown"},
}


def name_of(path: Path) -> str:
    return path.relative_to(JS).as_posix()


def folder_of(path: Path) -> str:
    if not path.is_relative_to(JS):
        return path.relative_to(STATIC).parts[0]
    parts = path.relative_to(JS).parts
    return parts[0] if len(parts) > 1 else ""


def imports_of(path: Path) -> set[Path]:
    """Return the modules that a file imports by a relative path; what comments say is left out."""
    code = COMMENT.sub("", path.read_text(encoding="utf-8"))
    return {(path.parent / found).resolve() for found in IMPORT.findall(code)}


IMPORTS = {path: imports_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_is_short(path: Path) -> None:
    # The example is one file, to be read and copied as a whole.
    most = 350 if "examples" in path.parts else MAX_LINES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= most


def test_lines_of_the_client_are_short() -> None:
    client = [*ENTRIES, *(path for path in FILES if folder_of(path) == "client")]
    lines = [line for path in client for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if len(line) > MAX_WIDTH] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    here = folder_of(path)
    for imported in IMPORTS[path]:
        assert imported.is_file(), imported
        there = folder_of(imported)
        assert there == here or there in ARROWS[here], f"{name_of(path)}: {name_of(imported)}"


def test_pages_and_examples_import_the_entries_alone() -> None:
    """What is at the top of static/js and is no entry is a page's own."""
    top = {
        imported
        for path, found in IMPORTS.items()
        for imported in found
        if folder_of(path) and not folder_of(imported)
    }
    assert top and top <= ENTRIES


def test_no_module_imports_itself_by_way_of_others() -> None:
    waiting = {path: set(found) for path, found in IMPORTS.items()}
    while free := {path for path, left in waiting.items() if not left & waiting.keys()}:
        waiting = {path: left for path, left in waiting.items() if path not in free}
    assert {name_of(path) for path in waiting} == set()


def test_imports_are_found() -> None:
    """The pattern sees them: what has no importer is begun by a page, or holds types alone."""
    imported = set().union(*IMPORTS.values())
    assert {name_of(path) for path in FILES if path not in imported} == {
        "client/news.js",
        "client/records.js",
        "client/shared/messages.js",
        "client/transports/frames.js",
        "client/types.js",
        "client/uploads.js",
        "docs.js",
        "examples/react.js",
        "markdown/highlight-worker.js",
        "page/main.js",
        "page/theme-early.js",
    }
