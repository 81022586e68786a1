"""A lock for sections that never wait, as those of this process's registers and logs are.

In a patched process `threading.Lock` is a green task's, written in Python. Where no task is
switched under it, the system's own keeps threads apart as well, at a quarter of the cost.
"""

from __future__ import annotations

# The one of the standard library's that neither eventlet nor gevent replaces.
from _thread import RLock as Lock

__all__ = ["Lock"]
