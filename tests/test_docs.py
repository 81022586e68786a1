"""The documents say what the code does: every setting, route, event, error code and link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import app.core.errors  # noqa: F401  (its classes are in the tree of errors)
from app.core.errors import ChatError
from app.runtimes.threads import ThreadRuntime
from app.server import Tandem
from app.settings import settings_of
from app.wiring import Settings, create_app, load_settings
from tools import write_docs

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"(?:^|`)(?:[A-Z_]+=\S+ )*make ([a-z0-9-]+)", re.MULTILINE)
EVENT_OUT = re.compile(r'(?:_emit\(sid, |outlet\.emit\(|Event\(|News\()"([a-z_]+)"')
SENDERS = (
    "app/chats/sessions.py",
    "app/runs/committer.py",
    "app/dialects/native.py",
    "app/transports/socketio/chat.py",
    "app/transports/socketio/viewers.py",
)


@pytest.fixture(scope="module")
def tandem() -> Tandem:
    # Threads need no monkey-patch; the routes and events are those of any mode.
    return create_app(load_settings({"DATABASE_URL": "memory:"}), runtime=ThreadRuntime())


def read(path: str) -> str:
    return (ROOT / path).read_text()


def errors(base: type[ChatError] = ChatError) -> Iterator[type[ChatError]]:
    if "code" in vars(base):  # the others are kinds of errors, never raised
        yield base
    for error in base.__subclasses__():
        yield from errors(error)


def anchor(heading: str) -> str:
    """Return the anchor that a heading gets: GitHub's rule."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", write_docs.documents(), ids=lambda path: path.name)
def test_generated_text_is_current(path: Path) -> None:
    assert path.read_text() == write_docs.documents()[path], "run `make docs`"


def test_every_setting_has_its_sentence() -> None:
    settings = settings_of(Settings)
    names = [setting.name for setting in settings]

    assert len(names) == len(set(names))
    assert [setting.name for setting in settings if not setting.sentence.endswith(".")] == []


def test_every_route_is_documented(tandem: Tandem) -> None:
    routes = {
        f"{method} {rule.rule}"
        for rule in tandem.app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    headings = {found for found in HEADING.findall(read("docs/api.md")) if "/" in found}
    assert routes == headings
    assert {route for route in routes if f"| `{route}` |" not in read("README.md")} == set()


def test_every_socket_event_is_documented(tandem: Tandem) -> None:
    namespace = tandem.app.extensions["socketio"].server.namespace_handlers["/"]
    sent = {name for path in SENDERS for name in EVENT_OUT.findall(read(path))}
    events = set(namespace._handlers) | sent
    assert len(events) >= 10
    assert events - set(HEADING.findall(read("docs/events.md"))) == set()
    assert {name for name in events if f"| `{name}` |" not in read("README.md")} == set()


def test_every_error_code_is_documented_with_its_status() -> None:
    lines = read("docs/api.md").splitlines()
    for error in errors():
        code = f"| `{error.code}` | "
        rows = [line.removeprefix(code) for line in lines if line.startswith(code)]
        assert len(rows) == 1, error.code
        assert rows[0].startswith(str(error.http_status)), error.code


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    named = set(MAKE.findall(document.read_text()))
    assert named <= set(re.findall(r"^([a-z0-9-]+):", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text()):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if fragment:
            headings = HEADING.findall(target.read_text())
            assert fragment in map(anchor, headings), link
