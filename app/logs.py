"""Where log lines go: readable ones to stdout, JSON lines to `app.log`, rotated by size.

What a person or a model said is never logged. Keys and tokens are taken out of whatever is,
tracebacks included, as the last step before a line is written.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Protocol, TextIO

# They log what they carry: packets, headers, URLs.
QUIET = ("engineio", "socketio", "urllib3", "httpx2", "httpcore2", "openai", "alembic", "limits")
PLACE = "[taken out]"
# A shorter one is what is said where any will do (`none`, `x`): it is in half of all words.
SHORTEST_SECRET = 8
# Each with a mark, in lower case, without which it takes nothing: most lines have none.
_SECRETS = (
    ("bearer", re.compile(r"(?i)(bearer\s+)[^\s\"',]+")),
    ("sk-", re.compile(r"()\bsk-[A-Za-z0-9_-]{6,}")),
    ("eyj", re.compile(r"()\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")),  # a JWT
    ("://", re.compile(r"(\w://)[^/\s\"']+(?=@)")),  # the user and password of a URL
    ("=", re.compile(r"(?i)([?&](?:token|access_token|key|api_key)=)[^&\s\"']+")),
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_to_json = json.JSONEncoder(default=str).encode
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogOptions(Protocol):
    """Where to, what, and how much is kept."""

    @property
    def log_dir(self) -> str: ...

    @property
    def log_level(self) -> str: ...

    @property
    def log_file_bytes(self) -> int: ...

    @property
    def log_files(self) -> int: ...


def set_up_logs(
    options: LogOptions, secrets: Iterable[str] = (), worker: int | None = None
) -> None:
    """Send the root logger's lines to stdout and to `log_dir`/app.log. Raises OSError.

    `worker` is the number of one of several processes, which each line has, and 0 of their parent.
    """
    Path(options.log_dir).mkdir(parents=True, exist_ok=True)
    # No line says them, and finding them out costs more than writing one does.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # the caller's file and line: how the library's documentation does it
    to_file = RotatedFile(
        Path(options.log_dir, "app.log"),
        maxBytes=options.log_file_bytes,
        backupCount=options.log_files,
        encoding="utf-8",
    )
    to_stdout = logging.StreamHandler(sys.stdout)
    known = _as_written(secrets)
    to_file.setFormatter(JsonLines(known))
    to_stdout.setFormatter(Readable(known))
    to_file.is_shared = worker is not None
    if worker:
        for handler in (to_stdout, to_file):
            handler.addFilter(_Numbered(worker))
    logging.basicConfig(level=options.log_level, handlers=[to_stdout, to_file], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Engine.IO logs a traceback for each packet that is not one; clients send those as they like.
    logging.getLogger("engineio.server").setLevel(logging.CRITICAL)


class _Numbered(logging.Filter):
    """Gives each line the number of the process that it is of."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._worker
        return True


class RotatedFile(RotatingFileHandler):
    """A file of at most `maxBytes`, if no line is longer; several processes may write to one.

    The library's own handler formats every line twice: to know its length beforehand, and to write
    it. And of two processes that find the file full, both would rotate it.
    """

    is_shared = False  # whether others rotate it too

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, into a new file if it would not fit."""
        try:
            line = self.format(record) + self.terminator
            if self.is_shared and not self._is_current():
                self._let_go()
            if self._is_full_with(len(line.encode())):
                self.doRollover()
            self._file().write(line)
            self.flush()
        except Exception:
            self.handleError(record)

    def doRollover(self) -> None:  # noqa: N802  (the library's name)
        """Begin a new file, which another process may have done meanwhile."""
        folder = os.open(Path(self.baseFilename).parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # let go when it is closed, or at our death
            if self._is_current():
                super().doRollover()
            else:
                self._let_go()
        finally:
            os.close(folder)

    def _let_go(self) -> None:
        """Close what is written to; the next line opens what has the name then."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def _is_current(self) -> bool:
        """Whether what is written to is what the name leads to."""
        with suppress(OSError):
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(self._file().fileno()))
        return False

    def _is_full_with(self, line_bytes: int) -> bool:
        file = self._file()
        if not file.seekable():  # a link to a terminal or a pipe
            return False
        # Asked each time: another process may write to it too.
        return file.seek(0, os.SEEK_END) + line_bytes > self.maxBytes

    def _file(self) -> TextIO:
        if self.stream is None:  # closed by a rotation that failed
            self.stream = self._open()
        return self.stream


class Readable(logging.Formatter):
    """A line for people: time, level, what happened, then its figures."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._secrets = secrets

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the library's name)
        """Return the message on one line: a path may hold a line end, and forge the next."""
        return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it if there is one."""
        figures = " ".join(f"{name}={value}" for name, value in _extras(record).items())
        first, *rest = super().format(record).split("\n")
        return redact("\n".join([f"{first}  {figures}".rstrip(), *rest]), self._secrets)


class JsonLines(logging.Formatter):
    """A JSON object a line, with all that was given as `extra`."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return redact(_to_json(line), self._secrets)


def _as_written(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return the secrets, and what JSON and repr make of them."""
    known = (secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
    forms = [(secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]) for secret in known]
    return tuple(dict.fromkeys(form for of_one in forms for form in of_one))


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {name: value for name, value in extras.items() if value is not None}


def redact(line: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the line without keys, tokens and the passwords of URLs."""
    for secret in secrets:
        line = line.replace(secret, PLACE)
    lowered = line.lower()
    for mark, pattern in _SECRETS:
        if mark in lowered:
            line = pattern.sub(rf"\1{PLACE}", line)
    return line
