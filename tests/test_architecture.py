"""The house: who may import whom, and how large its rooms may be. Imports inside functions count
too."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "app").rglob("*.py"))
MAX_LINES = 400
MAX_MODULES = 12  # a folder; `__init__` aside
MAX_AT_TOP = 4

# What each room may import of the others. A module beside them (MAIN) sees all.
ARROWS = {
    "core": set(),
    "settings": set(),
    "runtimes": set(),
    "workers": {"settings"},
    "runs": {"core"},
    "usage": {"core", "runs"},
    "providers": {"core", "runs"},
    "broker": {"core", "runs"},
    "tools": {"core", "runs"},
    "metrics": {"core", "runs"},
    "attachments": {"core", "runs"},
    "moving": {"core"},
    "rates": {"core"},
    "stores": {"core", "runs", "usage"},
    "chats": {"core", "runs", "usage"},
    "dialects": {"core", "runs", "chats", "usage"},
    "transports": {"core", "runs", "usage", "metrics", "chats", "dialects", "attachments", "rates"},
}
# Beside the rooms: what may import it.
MAIN = {
    "app.main": set(),
    "app.parent": set(),
    "app.server": {"app.main", "app.wiring.server"},
    "app.logs": {"app.main", "app.parent"},
}
WIRING = "wiring"  # the one room that sees all, and is seen by `main` alone
PURE = {"core", "runs", "usage", "chats"}  # the standard library alone, and no I/O
WEB = {"flask", "flask_socketio", "socketio", "werkzeug", "flask_limiter", "flask_cors"}
# The SDK of MCP runs on asyncio, which has no place where the standard library is patched.
APART = {"mcp", "anyio", "asyncio"}
APART_IN = "app.tools.mcp.child"
GREEN = {"eventlet": "app.runtimes.eventlet", "gevent": "app.runtimes.gevent"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(path: Path) -> set[str]:
    """Return the modules a file imports; `from package import module` names the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in full}
    return found


IMPORTS = {module: imports_of(path) for module, path in MODULES.items()}
ROOMS = [module for module in MODULES if module not in {"app", *MAIN}]


def room_of(module: str) -> str:
    return module.split(".")[1]


def top(module: str) -> str:
    return module.split(".")[0]


def outside(module: str) -> set[str]:
    """Return the packages a module imports that are neither ours nor the standard library's."""
    return {top(name) for name in IMPORTS[module]} - {"app"} - sys.stdlib_module_names


def is_migration(path: Path) -> bool:
    return "versions" in path.parts


def test_every_room_has_its_arrows() -> None:
    assert {room_of(module) for module in ROOMS} - {WIRING} <= ARROWS.keys()


@pytest.mark.parametrize("module", ROOMS)
def test_room_imports_only_the_rooms_below_it(module: str) -> None:
    room = room_of(module)
    if room == WIRING:
        return
    for imported in IMPORTS[module]:
        if top(imported) == "app" and imported != "app":
            assert imported not in MAIN, f"{module} -> {imported}"
            assert room_of(imported) in {room, *ARROWS[room]}, f"{module} -> {imported}"


@pytest.mark.parametrize("module", MAIN)
def test_what_sees_all_is_seen_by_few(module: str) -> None:
    importers = {name for name, imported in IMPORTS.items() if module in imported}

    assert importers <= MAIN[module]


def test_who_wires_is_seen_by_main_alone() -> None:
    for module, imported in IMPORTS.items():
        if room_of(f"{module}.") not in {WIRING, "main"}:
            assert not {name for name in imported if room_of(f"{name}.") == WIRING}, module


@pytest.mark.parametrize("module", MODULES)
def test_the_environment_is_read_by_the_settings_alone(module: str) -> None:
    if room_of(f"{module}.") == "settings":
        return
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        is_os = isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"os", "posix"}
        read = node.attr if is_os else ""
        names = [one.name for one in node.names] if isinstance(node, ast.ImportFrom) else []
        assert not {read, *names} & {"environ", "environb", "getenv", "getenvb"}, module


@pytest.mark.parametrize("module", MODULES)
def test_green_threads_stay_in_their_folder(module: str) -> None:
    for library in outside(module) & GREEN.keys():
        assert module.startswith(GREEN[library])


@pytest.mark.parametrize("module", MODULES)
def test_what_needs_a_process_of_its_own_stays_there(module: str) -> None:
    if not module.startswith(APART_IN):
        assert not {top(name) for name in IMPORTS[module]} & APART
        assert not {name for name in IMPORTS[module] if name.startswith(APART_IN)}


@pytest.mark.parametrize("module", MODULES)
def test_web_frameworks_stay_at_the_rim(module: str) -> None:
    if not module.startswith("app.transports"):
        assert not outside(module) & WEB


@pytest.mark.parametrize("module", [module for module in ROOMS if room_of(module) in PURE])
def test_the_middle_needs_the_standard_library_alone(module: str) -> None:
    assert outside(module) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_no_room_is_too_full() -> None:
    inside = [path for path in FILES if path.name != "__init__.py" and not is_migration(path)]
    sizes = Counter(path.parent for path in inside)

    assert sizes.pop(ROOT / "app") <= MAX_AT_TOP
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}


def test_no_import_goes_in_a_circle() -> None:
    waiting = {module: imported & MODULES.keys() for module, imported in IMPORTS.items()}
    while waiting:
        free = {module for module, imported in waiting.items() if not imported & waiting.keys()}
        assert free, f"a circle among {sorted(waiting)}"
        waiting = {module: waiting[module] for module in waiting.keys() - free}


def test_what_is_not_used_is_not_imported() -> None:
    """A start without a key and without tools of others' does not pay for their libraries."""
    later = ("openai", "mcp", "anyio", "psycopg", "redis")
    code = f"import sys, app.wiring; print([name for name in {later} if name in sys.modules])"
    command = [sys.executable, "-W", "ignore", "-c", code]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"
