"""What `python run.py` does: say what starts, or why it cannot, in words a person can act on."""

from __future__ import annotations

import errno
import gc
import os
import resource
import socket
import sys
from collections.abc import Callable

from app import __version__
from app.core.errors import StorageUnavailable
from app.logs import set_up_logs
from app.runs.ports import Provider
from app.runtimes import make_runtime
from app.runtimes.runtime import Runtime
from app.settings import BadSetting, secrets_of
from app.stores.build import database_of
from app.stores.sql.migrate import DatabaseTooNew, DatabaseUnusable
from app.wiring import Settings, create_app, load_settings


def banner(settings: Settings, listener: socket.socket, answers: Provider) -> str:
    """Return what a person wants to know at the start."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    hint = "  (no model is set up: `make check` says how)" if answers.name == "demo" else ""
    return "\n".join(
        (
            f"Tandem {__version__} on http://{shown}:{port}",
            f"  model   {answers.name}: {answers.default_model}{hint}",
            f"  store   {database_of(settings.store.database_url).shown}",
            f"  auth    {_auth_in_words(settings)}",
            f"  mode    {settings.server.async_mode}, process {os.getpid()}",
        )
    )


def _auth_in_words(settings: Settings) -> str:
    if settings.auth.mode != "off":
        return settings.auth.mode
    local = settings.server.on_loopback
    return "off: only this machine can reach it" if local else "OFF, for everybody"


def main(make: Callable[[str, int], Runtime] = make_runtime) -> int:
    """Serve until told to stop; return the exit code. A start that fails says in a line what to
    do. `make` returns the runtime of a name, with so many threads for the store."""
    try:
        settings = load_settings()
        server = settings.server
        set_up_logs(settings.logs, secrets_of(settings))
        files = raise_file_limit()
        listener = listen(server.host, server.port)
        tandem = create_app(settings, make=make)
    except BadSetting as error:
        return refuse(f"{error}\nAll settings are in README.md and .env.example.")
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
    print(banner(settings, listener, tandem.answers), flush=True)
    print(f"  files   at most {files} open at once", flush=True)
    spare_what_stays()
    tandem.runtime.serve(listener, tandem)
    print("Tandem has stopped.", flush=True)
    return 0


BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises OSError (EADDRINUSE for a port that is taken)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it; without it a small event waits for the last one's
    # acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


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


def refuse(reason: str) -> int:
    """Say why the server cannot start; return the exit code."""
    print(f"Tandem cannot start. {reason}", file=sys.stderr)
    return 2


def explain(error: OSError, host: str, port: int) -> str:
    """Return what to do about a start that the system refused."""
    if error.errno == errno.EADDRINUSE:
        airplay = " (macOS keeps 5000 for AirPlay Receiver)" if port == 5000 else ""
        advice = f"PORT={port + 1} make run"
        return f"Port {port} is in use{airplay}. Stop what uses it, or try: {advice}"
    return f"{error.strerror or error}: {error.filename or host}"
