"""Where log lines go: stdout for people, `app.log` in LOG_DIR. What a person said is never among
them."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
FILE_BYTES = 10_000_000
FILES_KEPT = 5
# They log what they carry: packets, headers, URLs.
QUIET = (
    "engineio",
    "socketio",
    "urllib3",
    "httpx2",
    "httpcore2",
    "openai",
    "alembic",
    "tandem.wsgi",
)


def set_up_logs(log_dir: str, level: str) -> None:
    """Send the root logger's lines to stdout and to `log_dir`/app.log. Raises OSError."""
    Path(log_dir).mkdir(parents=True, exist_ok=True)
    to_file = RotatingFileHandler(
        Path(log_dir, "app.log"), maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8"
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout), to_file]
    for handler in handlers:
        handler.setFormatter(logging.Formatter(FORMAT))
    logging.basicConfig(level=level, handlers=handlers, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
