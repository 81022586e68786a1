"""Copy the database while the server runs: `make backup`, or `make backup TO=path/to/file.db`.

SQLite's VACUUM INTO writes a whole, compact copy of one moment, whatever is written meanwhile. To
restore: stop the server, put the copy where DATABASE_URL points (and take its -wal and -shm files
away), start the server.
"""

import os
import sqlite3
import sys
import time
from pathlib import Path

from dotenv import find_dotenv, load_dotenv

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.settings import AllSettings, BadSetting, load  # noqa: E402
from app.settings.sections import StoreSettings  # noqa: E402


class Settings(AllSettings):
    """What a backup needs to know."""

    store: StoreSettings = StoreSettings()


def main() -> int:
    """Write the copy and say where it is."""
    load_dotenv(find_dotenv(usecwd=True))
    try:
        source = load(Settings).store.database_path
    except BadSetting as error:
        return _refuse(str(error))
    if source is None or not Path(source).is_file():
        return _refuse(f"there is no database at {source or 'memory:'} yet.")
    target = Path(os.environ.get("TO") or time.strftime("backups/tandem-%Y%m%d-%H%M%S.db"))
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
    return 0


def _refuse(reason: str) -> int:
    print(f"No backup: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
