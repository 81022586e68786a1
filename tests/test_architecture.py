"""The arrows of docs/design: who may import whom. Imports inside functions count too."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "app").rglob("*.py"))
MAX_LINES = 300

# What each layer may import of the others; a layer not named here may import none.
ARROWS = {
    "transports": {"dialects", "chats", "runs"},
    "dialects": {"chats", "runs"},
    "chats": {"runs"},
    "providers": {"runs"},
    "stores": {"runs", "chats"},
}
LAYERS = {*ARROWS, "runs"}
WIRING = {"app.wiring", "app.wiring_providers"}
STARTS = {"app.command_line"}  # what a person runs
# Modules beside the layers that a layer may import.
BESIDE = {"app.extensions": "transports"}
WEB = {"flask", "flask_socketio", "socketio", "flask_limiter", "flask_cors"}
GREEN = {"eventlet", "gevent"}


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


def layer_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "app" and len(parts) > 1 and parts[1] in LAYERS else None


def top(module: str) -> str:
    return module.split(".")[0]


def outside(module: str) -> set[str]:
    """Return the packages a module imports that are neither ours nor the standard library's."""
    return {top(name) for name in IMPORTS[module]} - {"app"} - sys.stdlib_module_names


@pytest.mark.parametrize("module", [module for module in MODULES if layer_of(module)])
def test_layer_imports_only_the_layers_below_it(module: str) -> None:
    layer = layer_of(module)
    assert layer is not None
    for imported in IMPORTS[module]:
        below = layer_of(imported)
        if below is not None and below != layer:
            assert below in ARROWS.get(layer, set()), f"{module} -> {imported}"


@pytest.mark.parametrize("module", [module for module in MODULES if layer_of(module)])
def test_layer_imports_no_module_beside_the_layers(module: str) -> None:
    for imported in IMPORTS[module]:
        if top(imported) == "app" and layer_of(imported) is None and imported != "app":
            assert BESIDE.get(imported) == layer_of(module), f"{module} -> {imported}"


@pytest.mark.parametrize("name", ["app.runtime", "app.settings"])
def test_only_wiring_imports_the_outside_world(name: str) -> None:
    importers = {module for module, imported in IMPORTS.items() if name in imported}

    assert importers <= {*WIRING, *STARTS, "app.runtime", "app.settings"}


def test_nobody_but_a_start_imports_wiring() -> None:
    assert {module for module, imported in IMPORTS.items() if WIRING & imported} <= WIRING | STARTS


@pytest.mark.parametrize("module", [module for module in MODULES if module != "app.runtime"])
def test_only_runtime_knows_green_threads(module: str) -> None:
    assert not outside(module) & GREEN


@pytest.mark.parametrize("module", MODULES)
def test_web_frameworks_stay_at_the_rim(module: str) -> None:
    if layer_of(module) != "transports" and module not in {"app.extensions", *WIRING}:
        assert not outside(module) & WEB


@pytest.mark.parametrize("module", [m for m in MODULES if layer_of(m) in {"runs", "chats"}])
def test_runs_and_chats_need_the_standard_library_alone(module: str) -> None:
    assert outside(module) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_no_import_goes_in_a_circle() -> None:
    waiting = {module: imported & MODULES.keys() for module, imported in IMPORTS.items()}
    while waiting:
        free = {module for module, imported in waiting.items() if not imported & waiting.keys()}
        assert free, f"a circle among {sorted(waiting)}"
        waiting = {module: waiting[module] for module in waiting.keys() - free}
