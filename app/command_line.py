"""Starting the server: what it prints, and how it says that it cannot."""

from __future__ import annotations

import os
import socket

from app import __version__
from app.listening import listen
from app.log_setup import set_up_logs
from app.runs.interfaces import Provider
from app.runtime import make_runtime
from app.settings import BadSetting, Settings, load_settings
from app.starting import explain, raise_file_limit, refuse, spare_what_stays
from app.stores.migrate import DatabaseTooNew, DatabaseUnusable
from app.wiring import create_app


def banner(settings: Settings, listener: socket.socket, answers: Provider) -> str:
    """Return what a person wants to know at the start."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    hint = "  (no model is set up: `make check` says how)" if answers.name == "demo" else ""
    return "\n".join(
        (
            f"Tandem {__version__} on http://{shown}:{port}",
            f"  model   {answers.name}: {answers.default_model}{hint}",
            f"  store   {settings.database_url}",
            f"  auth    {_auth_in_words(settings)}",
            f"  mode    {settings.async_mode}, process {os.getpid()}",
        )
    )


def _auth_in_words(settings: Settings) -> str:
    if settings.auth != "off":
        return settings.auth
    return "off: only this machine can reach it" if settings.on_loopback else "OFF, for everybody"


def main() -> int:
    """Serve until told to stop; return the exit code. A start that fails says in a line what to
    do."""
    try:
        settings = load_settings()
        set_up_logs(
            settings.log_dir,
            settings.log_level,
            settings.log_file_bytes,
            settings.log_files,
            (settings.openai_api_key, settings.gemini_api_key, settings.jwt_secret),
        )
        files = raise_file_limit()
        listener = listen(settings.host, settings.port)
        runtime = make_runtime(settings.async_mode)
        tandem = create_app(settings, runtime=runtime)
    except BadSetting as error:
        return refuse(f"{error}\nAll settings are in README.md and .env.example.")
    except DatabaseTooNew as error:
        return refuse(
            f"The database {error} was made by a newer Tandem. "
            "Update the code, or set DATABASE_URL to another file."
        )
    except DatabaseUnusable as error:
        return refuse(f"The database cannot be used: {error}. Set DATABASE_URL to another file.")
    except OSError as error:
        return refuse(explain(error, settings.host, settings.port))
    print(banner(settings, listener, tandem.answers), flush=True)
    print(f"  files   at most {files} open at once", flush=True)
    spare_what_stays()
    runtime.serve(listener, tandem)
    print("Tandem has stopped.", flush=True)
    return 0
