"""Take everything out of the database, or bring it into one, while the server runs: `make export`
(TO=path/to/file.jsonl), `make import FROM=path/to/file.jsonl`. `-` is standard output or input;
OWNER= one owner's; SKIP=1 leaves sessions that are there with other content. docs/moving.md tells
more.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dotenv import find_dotenv, load_dotenv

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.attachments.shelf import Shelf, shelf_of  # noqa: E402
from app.core.errors import StorageUnavailable  # noqa: E402
from app.moving.arriving import Importer  # noqa: E402
from app.moving.leaving import Exporter  # noqa: E402
from app.moving.lines import Refused  # noqa: E402
from app.moving.progress import Progress  # noqa: E402
from app.moving.reading import check, read_lines  # noqa: E402
from app.settings import BadSetting  # noqa: E402
from app.stores.build import Kept, KeptStore, database_of  # noqa: E402
from app.stores.sql.migrate import DatabaseTooNew, DatabaseUnusable  # noqa: E402
from app.wiring import Settings, load_settings, read_prices  # noqa: E402

PATIENCE_S = 30  # for the lock of a server that writes
REST_S = 0.002  # after each session: a server that waits for the lock gets it
TIDY_S = 1.0


def main(command: str) -> int:
    """Do it and say what was done."""
    load_dotenv(find_dotenv(usecwd=True))
    try:
        settings = load_settings()
        database = database_of(settings.store.database_url)
        if not isinstance(database, Kept):
            raise Refused("DATABASE_URL is memory:, which only its own process can read.")
        {"export": _export, "import": _import}[command](settings, database)
    except (Refused, BadSetting) as error:
        return _refuse(command, str(error))
    except DatabaseTooNew:
        return _refuse(command, "the database was made by a newer Tandem.")
    except DatabaseUnusable as error:
        return _refuse(command, f"{error}.")
    except StorageUnavailable:
        return _refuse(command, "the database does not answer. What was stored stays; try again.")
    except OSError as error:
        return _refuse(command, f"{error.filename or 'a file'}: {error.strerror}.")
    return 0


def _refuse(command: str, reason: str) -> int:
    print(f"No {command}: {reason}", file=sys.stderr)
    return 2


# --- out ----------------------------------------------------------------------------------------


def _export(settings: Settings, database: Kept) -> None:
    if not database.is_there():
        raise Refused(f"there is no database at {_where(database)} yet.")
    if not database.is_current():
        raise Refused("the database is an older Tandem's: start the server once, or use that one.")
    target = os.environ.get("TO") or time.strftime("backups/tandem-%Y%m%d-%H%M%S.jsonl")
    with _opened(database) as store, _written(target) as file:
        progress = Progress(sys.stderr, "exported", time.monotonic)
        exporter = Exporter(store, _shelf_of(settings, database), progress)
        counts = exporter.export(file.write, time.time(), _owner())
    said = f"{target}: {counts.owners} owners, {counts.sessions} sessions, "
    said += f"{counts.messages} messages, {counts.attachments} attachments"
    print(said, file=sys.stderr if target == "-" else sys.stdout)


@contextmanager
def _written(target: str) -> Iterator[BinaryIO]:
    """Open what is to be written: a file gets its name when it is whole."""
    if target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if os.path.exists(target):
        raise Refused(f"{target} exists; name another file with TO=.")
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    part = f"{target}.part"
    # All that was said is in it: for nobody else to read.
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, target)


# --- in -----------------------------------------------------------------------------------------


def _import(settings: Settings, database: Kept) -> None:
    source = os.environ.get("FROM", "")
    if not source:
        raise Refused("name a file with FROM=, or FROM=- for standard input.")
    if source != "-":
        _check(source)
    database.migrate()
    with _opened(database) as store, _alone(database):
        leave_others = os.environ.get("SKIP", "") in {"1", "true", "yes"}
        cost_of = read_prices(settings.usage.prices_file).cost
        shelf, rest = _shelf_of(settings, database), _rest_of(store)
        importer = Importer(store, shelf, _owner(), leave_others, cost_of, rest)
        with _read(source) as file:
            try:
                importer.put(read_lines(file), Progress(sys.stderr, "imported", time.monotonic))
            except BaseException:
                print(f"stopped there: {_said(importer)}", file=sys.stderr)
                raise
        store.tidy(time.time())
    print(_said(importer))


def _check(source: str) -> None:
    """Read a file to its end before anything of it is stored."""
    with _read(source) as file:
        check(read_lines(file), Progress(sys.stderr, "checked", time.monotonic))


@contextmanager
def _read(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
        return
    with open(source, "rb") as file:
        yield file


@contextmanager
def _alone(database: Kept) -> Iterator[None]:
    """Import in this process alone."""
    with database.importing() as alone:
        if not alone:
            raise Refused("another import into this database is under way.")
        yield


def _rest_of(store: KeptStore) -> Callable[[], None]:
    tidied = time.monotonic()

    def rest() -> None:
        nonlocal tidied
        time.sleep(REST_S)
        if time.monotonic() - tidied > TIDY_S:
            store.tidy(time.time())
            tidied = time.monotonic()

    return rest


def _said(importer: Importer) -> str:
    arrived = importer.arrived
    if not arrived.changed and not arrived.left:
        return f"nothing changed: all {arrived.same} sessions were there already"
    said = f"{arrived.new} sessions stored, {arrived.same} were there already"
    if arrived.left:
        some = ", ".join(arrived.left[:10])
        said += f", {len(arrived.left)} left as they are there ({some})"
    return said


# --- both ---------------------------------------------------------------------------------------


def _owner() -> str | None:
    return os.environ.get("OWNER") or None


def _shelf_of(settings: Settings, database: Kept) -> Shelf:
    return shelf_of(settings.attachments.attachments_dir, database.attachments)


def _where(database: Kept) -> str:
    return database.shown.removeprefix("sqlite:///")


@contextmanager
def _opened(database: Kept) -> Iterator[KeptStore]:
    try:
        store = database.open(PATIENCE_S)
    except sqlite3.Error as error:
        raise Refused(f"{_where(database)}: {error}.") from error
    try:
        yield store
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
