"""A PostgreSQL database that is new, another's, or cannot be used: said in words, without its
password."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.stores.build import Kept, database_of
from app.stores.postgres.address import shown
from app.stores.sql.migrate import DatabaseTooNew, DatabaseUnusable
from tests.support.manual import at_once
from tests.support.postgres import PASSWORD, SHARED, Postgres
from tests.support.server import ROOT


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    with postgres.empty() as name:
        yield name


def kept(url: str) -> Kept:
    database = database_of(url)
    assert isinstance(database, Kept)
    return database


def refusal(url: str) -> str:
    with pytest.raises(DatabaseUnusable) as refused:
        kept(url).migrate()
    assert PASSWORD not in str(refused.value) and "\n" not in str(refused.value)
    return str(refused.value)


def test_empty_database_is_made_by_several_at_once(postgres: Postgres, empty: str) -> None:
    database = kept(postgres.tcp_url(empty))
    assert not database.is_there()
    at_once(4, lambda _: database.migrate())

    assert database.is_there() and database.is_current()
    database.migrate()


def test_database_of_a_newer_tandem_is_refused(postgres: Postgres, empty: str) -> None:
    database = kept(postgres.tcp_url(empty))
    database.migrate()
    postgres.run("UPDATE alembic_version SET version_num = 'from-the-future'", empty)

    with pytest.raises(DatabaseTooNew) as refused:
        database.migrate()
    assert PASSWORD not in str(refused.value)


def test_server_that_is_not_there() -> None:
    assert "refused" in refusal(f"postgresql://tandem:{PASSWORD}@127.0.0.1:1/x")


def test_wrong_password(postgres: Postgres) -> None:
    assert "password authentication failed" in refusal(postgres.tcp_url(SHARED, "wrong"))


def test_database_that_is_not_there(postgres: Postgres) -> None:
    assert '"absent" does not exist' in refusal(postgres.tcp_url("absent"))


def test_role_that_may_make_no_tables(postgres: Postgres, empty: str) -> None:
    postgres.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", empty)
    postgres.run("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    url = postgres.url(empty).replace("tandem@", "guest@")

    assert "permission denied" in refusal(url) and "needs CREATE" in refusal(url)
    postgres.run("DROP ROLE guest")


def test_database_of_another_encoding(postgres: Postgres) -> None:
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")

    assert "its encoding is LATIN1" in refusal(postgres.tcp_url("latin"))
    postgres.run("DROP DATABASE latin WITH (FORCE)")


def test_one_import_at_a_time(postgres: Postgres, postgres_url: str) -> None:
    with kept(postgres_url).importing() as first, kept(postgres_url).importing() as second:
        assert (first, second) == (True, False)


@pytest.mark.parametrize(
    "url,without",
    [
        ("postgresql://ann:p4ss@db/chats", "postgresql://ann@db/chats"),
        ("postgresql://ann:p@4:ss@db/chats", "postgresql://ann@db/chats"),
        ("postgresql:///chats?host=/run", "postgresql:///chats?host=/run"),
        ("postgresql://db/chats?password=p4ss&x=1", "postgresql://db/chats?password=...&x=1"),
    ],
)
def test_address_is_shown_without_its_password(url: str, without: str) -> None:
    assert shown(url) == without


@pytest.mark.parametrize(
    "spoilt",
    [
        "sys.modules['psycopg'] = None",
        "import psycopg.waiting; psycopg.waiting.wait_c = None",
        "import psycopg as p; [delattr(c, n) for c in p.Connection.__mro__ "
        "for n in ['_connect_gen'] if n in vars(c)]",
        "import psycopg.errors; del psycopg.errors._WaitTimeout",
    ],
)
def test_psycopg_that_is_another_is_said_at_the_start(spoilt: str) -> None:
    code = (
        f"import sys; {spoilt}\n"
        "from app.stores.build import database_of\n"
        "from app.stores.sql.migrate import DatabaseUnusable\n"
        "try: database_of('postgresql://host/db')\n"
        "except DatabaseUnusable as error: print(error)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("psycopg is not as requirements.txt has it (")
