"""Copy the database while the server runs: `make backup`, or `make backup TO=path/to/file.db`.

SQLite's VACUUM INTO writes a whole, compact copy of one moment, whatever is written meanwhile. The
files that it names go beside it, to `<copy>.attachments`: hard links where that can be, since a
file there is never written again. To restore: stop the server, put both where DATABASE_URL and
ATTACHMENTS_DIR point (and take the -wal and -shm files away), start the server.
"""

import os
import shutil
import sqlite3
import sys
import time
from pathlib import Path

from dotenv import find_dotenv, load_dotenv

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.settings import AllSettings, BadSetting, load  # noqa: E402
from app.settings.sections import AttachmentSettings, StoreSettings  # noqa: E402
from app.stores.build import Memory, database_of  # noqa: E402
from app.stores.sqlite.database import SqliteDatabase  # noqa: E402


class Settings(AllSettings):
    """What a backup needs to know."""

    store: StoreSettings = StoreSettings()
    attachments: AttachmentSettings = AttachmentSettings()


def main() -> int:
    """Write the copy and say where it is."""
    load_dotenv(find_dotenv(usecwd=True))
    try:
        settings = load(Settings)
    except BadSetting as error:
        return _refuse(str(error))
    database = database_of(settings.store.database_url)
    if isinstance(database, Memory):
        return _refuse("there is no database at memory: yet.")
    if not isinstance(database, SqliteDatabase):
        return _refuse(f"{database.shown} is PostgreSQL's: pg_dump copies it while it is used.")
    if not database.is_there():
        return _refuse(f"there is no database at {database.path} yet.")
    source = database.path
    target = Path(os.environ.get("TO") or time.strftime("backups/tandem-%Y%m%d-%H%M%S.db"))
    shelf = Path(settings.attachments.attachments_dir or database.attachments)
    files = Path(f"{target}.attachments")
    if files.exists():
        return _refuse(f"{files} exists; name another file with TO=.")
    if target.exists():
        return _refuse(f"{target} exists; name another file with TO=.")
    target.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(source, timeout=30)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        return _refuse(f"{error}.")
    finally:
        connection.close()
    print(f"{target} ({target.stat().st_size} bytes)")
    try:
        _copy_files(target, shelf, files)
    except OSError as error:
        return _refuse(f"the database is copied, its attachments are not: {error}.")
    return 0


def _copy_files(target: Path, shelf: Path, files: Path) -> None:
    """Copy what the copied database names, and say how much it was."""
    named, gone = _named_in(target), 0
    for sha256 in named:
        place = files / sha256[:2] / sha256
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            _link_or_copy(shelf / sha256[:2] / sha256, place)
        except FileNotFoundError:
            gone += 1  # deleted since the database was copied, or lost before
    if named:
        said = f", {gone} were gone" if gone else ""
        print(f"{files} ({len(named) - gone} attachments{said})")


def _named_in(target: Path) -> list[str]:
    connection = sqlite3.connect(target)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'attachments'")
        if tables.fetchone() is None:
            return []  # of an older Tandem
        return [row[0] for row in connection.execute("SELECT DISTINCT sha256 FROM attachments")]
    finally:
        connection.close()


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, place)


def _refuse(reason: str) -> int:
    print(f"No backup: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
