"""What `python run.py` does: say what starts, or why it cannot, in words a person can act on."""

from __future__ import annotations

import gc
import os
import resource
import signal
from collections.abc import Callable

from app.core.errors import StorageUnavailable
from app.logs import set_up_logs
from app.runs.ports import Provider
from app.runtimes import make_runtime
from app.runtimes.runtime import Runtime
from app.settings import BadSetting, secrets_of
from app.settings.place import place_of
from app.stores.build import database_of
from app.stores.sql.migrate import DatabaseTooNew, DatabaseUnusable
from app.wiring import create_app, load_settings
from app.workers.listening import SETTINGS_ARE_IN, Serving, banner, explain, listen, refuse
from app.workers.siblings import inherited_listener


def model_in_words(answers: Provider) -> str:
    """Return who answers where nobody else is named."""
    hint = "  (no model is set up: `make check` says how)" if answers.name == "demo" else ""
    return f"{answers.name}: {answers.default_model}{hint}"


def main(make: Callable[[str, int], Runtime] = make_runtime) -> int:
    """Serve until told to stop; return the exit code. A start that fails says in a line what to
    do. `make` returns the runtime of a name, with so many threads for the store."""
    try:
        settings, place = load_settings(), place_of()
        server = settings.server
        set_up_logs(settings.logs, secrets_of(settings), place.number if place else None)
        files = raise_file_limit()
        listener = inherited_listener(place) if place else listen(server.host, server.port)
        tandem = create_app(settings, make=make, place=place)
    except BadSetting as error:
        return refuse(f"{error}\n{SETTINGS_ARE_IN}")
    except DatabaseTooNew as error:
        return refuse(
            f"The database {error} was made by a newer Tandem. "
            "Update the code, or set DATABASE_URL to another database."
        )
    except DatabaseUnusable as error:
        return refuse(f"The database cannot be used: {error}. DATABASE_URL says which it is.")
    except StorageUnavailable:
        return refuse("The database does not answer, or cannot be written. Try again.")
    except OSError as error:
        return refuse(explain(error, server.host, server.port))
    model, store = model_in_words(tandem.answers), database_of(settings.store.database_url).shown
    if tandem.siblings is None:
        serving = Serving(server, store, settings.auth)
        print(banner(serving, listener, model, f"process {os.getpid()}"), flush=True)
        print(f"  files   at most {files} open at once", flush=True)
    else:  # the parent says it, once
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent's; a terminal sends it to all
        tandem.siblings.about = {"model": model, "store": store, "files": str(files)}
    spare_what_stays()
    tandem.runtime.serve(listener, tandem)
    if tandem.siblings is None:
        print("Tandem has stopped.", flush=True)
    return 0


# Garbage is looked for when there are that many more; a request leaves hundreds. Python's own 700
# cost a start 4 % of its time.
YOUNG_OBJECTS = 5000


def raise_file_limit() -> int:
    """Raise the limit of open files to the hard one (each viewer is one); return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return soft  # macOS refuses what it calls unlimited
    return hard


def spare_what_stays() -> None:
    """Leave all that exists now out of the garbage collector's rounds.

    Modules, models and tables are a quarter of a million objects that never die. Looked through in
    the middle of many replies they held up every stream, measured: for 75 to 160 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
