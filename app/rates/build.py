"""Where rates are counted that several processes share."""

from __future__ import annotations

from app.rates.fallback import Fallback
from app.rates.redis import RedisWindows
from app.rates.sqlite import SqliteWindows
from app.rates.stored import CountHit, StoredWindows
from app.rates.windows import Windows

REDIS_AGAIN_S = 5.0  # a try costs its caller a quarter of a second
FILE_AGAIN_S = 5.0  # a try holds up the process for a tenth of a second


def make_shared(
    own: Windows, redis_url: str, group: str, file: str | None, count: CountHit | None = None
) -> Windows | None:
    """Return the windows that all processes on one database share: in Redis, in the database
    (`count`), in a `file` beside it; None where there can be only one process.
    `group` is the database's; `own` stands in while they are away."""
    if redis_url:
        return Fallback(RedisWindows(redis_url, group), own, "Redis", REDIS_AGAIN_S)
    if count is not None:
        return Fallback(StoredWindows(count), own, "the database", REDIS_AGAIN_S)
    if file is not None:
        return Fallback(SqliteWindows(file), own, file, FILE_AGAIN_S)
    return None
