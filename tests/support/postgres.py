"""A PostgreSQL of the tests' own: in a folder of its own, on a socket there and a free port."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from app.stores.postgres.migrating import migrate
from app.stores.sql.tables import metadata
from tests.support.services import missing

SHARED = "shared"
USER = "tandem"
PASSWORD = "planted-password-of-the-database"
# What is committed need not survive a power cut here.
FAST = ("fsync=off", "full_page_writes=off", "autovacuum=off")
SETTINGS = ("max_connections=200", "shared_buffers=32MB", "wal_level=minimal", "max_wal_senders=0")


def programs() -> Path:
    """Return the folder of the newest server that is installed; skip the test if none is."""
    found = sorted(
        (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        key=lambda path: int(path.parent.name),
    )
    if not found:
        missing("no PostgreSQL server", "apt-get install postgresql")
    return found[-1]


class Postgres:
    """A running server; TCP needs the password, the socket does not."""

    def __init__(self, settings: tuple[str, ...] = FAST) -> None:
        self._bin = programs()
        self._settings = (*SETTINGS, *settings)
        self.folder = Path(tempfile.mkdtemp(prefix="tandem-pg-"))
        self.port = _free_port()
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to be root's
            os.chown(self.folder, pwd.getpwnam("postgres").pw_uid, -1)
            self._as_user = ["runuser", "-u", "postgres", "--"]
        (self.folder / "password").write_text(PASSWORD)
        self._run("initdb", "-U", USER, "--no-sync", "--encoding=UTF8", *self._ways_in())
        self.start()

    def _ways_in(self) -> list[str]:
        ways = ["--auth-local=trust", "--auth-host=scram-sha-256"]
        # A locale that sorts as people do: what has to be in the order of code points must say so.
        return [*ways, f"--pwfile={self.folder}/password", "--locale=C.UTF-8"]

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._bin / program), "-D", f"{self.folder}/data"]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, cwd=self.folder, check=False
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        options = [f"-k {self.folder}", f"-p {self.port}", "-c listen_addresses=127.0.0.1"]
        options += [f"-c {setting}" for setting in self._settings]
        log = f"{self.folder}/log"
        self._run("pg_ctl", "start", "-w", "-s", "-l", log, "-o", " ".join(options))

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: immediate, as a crash does, fast, or smart."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", mode)

    def remove(self) -> None:
        """Stop it, and leave nothing."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        """Return a database's address, over the socket."""
        return f"postgresql://{USER}@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, database: str, password: str = PASSWORD, port: int | None = None) -> str:
        """Return it over TCP."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{port or self.port}/{database}"

    def database(self) -> str:
        """Return the address of an empty database with this code's schema: always the same one."""
        url = self.url(SHARED)
        if not self._exists(SHARED):
            self.run(f"CREATE DATABASE {SHARED}")
            migrate(url)
        # Faster than another database, and than TRUNCATE.
        names = [table.name for table in reversed(metadata.sorted_tables)]
        self.run("; ".join(f"DELETE FROM {name}" for name in names), SHARED)
        return url

    def new_database(self) -> str:
        """Return the address of a database of one's own, with this code's schema."""
        if not self._exists(SHARED):
            self.database()
        name = f"t{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {SHARED}")
        return self.url(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The name of a database of one's own, without a schema."""
        name = f"t{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0")
        yield name
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def _exists(self, name: str) -> bool:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return found.fetchone() is not None

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run a statement."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def cut_all(self) -> None:
        """End all connections; return when they are gone."""
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            while connection.execute(
                f"SELECT pg_terminate_backend(pid) {others}".encode()
            ).rowcount:
                pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
