"""nginx and HAProxy in front: no request reaches the server that they have not counted, whatever a
client sends, and nobody else is answered with what was asked behind it."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter

import pytest

from tests.support.fronts import FRONTS, Front, Lines, path_of
from tests.support.server import Server
from tests.support.smuggling import SHAPES

NUMBERS = itertools.count()
NUMBERED = {
    kind: [(next(NUMBERS), name, data) for name, data in made.items()]
    for kind, made in SHAPES.items()
}
AFTER = "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
REQUEST_ID = re.compile(rb"\r\nx-request-id: (\w+)\r\n", re.IGNORECASE)


class Behind:
    """A server behind a front, and what has reached it."""

    def __init__(self, kind, folder):
        self.server = Server(folder / "server")
        self.front = Front(kind, folder, self.server.port)
        self.requests = {}  # their paths by their ids, as the server has logged them
        self.refused = 0
        self._lines = Lines(self.server.folder / "logs" / "app.log")

    def reach(self):
        """Read on in the server's log."""
        for line in self._lines.more():
            entry = json.loads(line)
            if entry["logger"] == "tandem.requests":
                path = entry["message"].split(" ", 1)[1].rsplit(" ", 1)[0]
                self.requests[entry["request_id"]] = path_of(path)
            self.refused += entry["message"] == "refused what is not HTTP"

    def uncounted(self):
        """What has reached the server more often than the front has been asked for it, and how many
        more than that were refused."""
        self.reach()
        counted = self.front.counted()
        beyond = len(self.requests) + self.refused - sum(counted.values())
        return Counter(self.requests.values()) - counted, max(0, beyond)

    def is_counted(self):
        """Wait until all is; the front writes its line once the answer is over."""
        return self.server.wait_until(lambda: self.uncounted() == ({}, 0), 10)

    def ask(self, path):
        """Ask on a new connection; return for which path the answer is."""
        answer = self.front.exchange((AFTER % path).encode())
        found = REQUEST_ID.search(answer)
        self.reach()
        assert found, answer[:300]
        return self.requests.get(found[1].decode())

    def end(self):
        """End both."""
        self.front.end()
        assert self.server.stop() == 0


@pytest.fixture(scope="module", params=FRONTS)
def behind(request, tmp_path_factory):
    started = Behind(request.param, tmp_path_factory.mktemp("front"))
    yield started
    started.end()


@pytest.mark.parametrize("kind", SHAPES)
def test_nothing_reaches_the_server_that_the_front_has_not_counted(behind, kind):
    for number, name, data in NUMBERED[kind]:
        behind.front.exchange(data.replace(b"-000", b"-%03d" % number))
        assert behind.ask(f"/after-{number:03}") == f"/after-{number:03}", name
        assert behind.is_counted(), (name, behind.uncounted())


def test_nothing_has_come_later(behind):
    """Runs behind those: once the front has ended, nobody can send anything."""
    behind.front.end()
    assert behind.is_counted(), behind.uncounted()
    assert "Traceback" not in behind.server.logs()


def test_what_comes_past_the_front_would_be_seen(behind):
    behind.server.get("/smuggled-past")
    assert behind.uncounted()[0] == {"/smuggled-past": 1}
