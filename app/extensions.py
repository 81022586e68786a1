"""Flask's extensions: made here without an app, bound to one in wiring.

`socketio` is made anew for each app: python-socketio's handlers belong to one server.
"""

from __future__ import annotations

from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

cors = CORS()
limiter = Limiter(get_remote_address, strategy="moving-window", storage_uri="memory://")
