"""What `python run.py` does where WORKERS asks for several processes: start them on one port."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping

from pydantic import model_validator

from app.logs import set_up_logs
from app.settings import AllSettings, BadSetting, load, secrets_of
from app.settings.sections import (
    AuthSettings,
    LogSettings,
    ServerSettings,
    StoreSettings,
    check_reach,
    check_workers,
)
from app.workers.child import Child, Starter
from app.workers.listening import SETTINGS_ARE_IN, Serving, banner, explain, listen, refuse
from app.workers.parent import Parent

MAX_FOLDER_BYTES = 80  # the system's limit of a socket's whole path is 104 or 108


class ParentSettings(AllSettings):
    """What a parent needs to know; the rest is read by its children."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    logs: LogSettings = LogSettings()
    auth: AuthSettings = AuthSettings()

    @model_validator(mode="after")
    def _check(self) -> ParentSettings:
        check_reach(self.server, self.auth)
        check_workers(self.server, self.store)
        return self


def main(given: Mapping[str, str]) -> int:
    """Serve by several processes until told to stop; return the exit code. `given` is the
    environment before .env was read, which each process reads anew."""
    try:
        settings = load(ParentSettings)
        server = settings.server
        set_up_logs(settings.logs, secrets_of(settings), worker=0)
        listener = listen(server.host, server.port)
    except BadSetting as error:
        return refuse(f"{error}\n{SETTINGS_ARE_IN}")
    except OSError as error:
        return refuse(explain(error, server.host, server.port))

    def all_ready(children: list[Child]) -> None:
        first = children[0].ready or {}
        serving = Serving(server, first["store"], settings.auth)
        processes = f"{len(children)} processes, their parent {os.getpid()}"
        print(banner(serving, listener, first["model"], processes), flush=True)
        print(f"  files   at most {first['files']} open at once in each", flush=True)

    folder = _short_folder()
    try:
        start = Starter(listener, folder, given)
        code = Parent(server.workers, start, server.shutdown_grace_s, all_ready).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if code == 0:
        print("Tandem has stopped.", flush=True)
    return code


def _short_folder() -> str:
    """Make a folder, this user's alone, whose name leaves room for a socket's."""
    folder = tempfile.mkdtemp(prefix="tandem-")
    if len(folder) > MAX_FOLDER_BYTES:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="tandem-", dir="/tmp")
    return folder
