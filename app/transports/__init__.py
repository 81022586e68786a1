"""Transports: HTTP and Socket.IO. They translate and nothing else; Flask's globals stay in here."""

import sys

# python-socketio imports redis where that is installed, for a message queue that is not used here:
# 45 ms of a start, and 6 MB.
if "socketio" not in sys.modules and "redis" not in sys.modules:
    sys.modules["redis"] = None  # type: ignore[assignment]
    try:
        import socketio  # noqa: F401
    finally:
        del sys.modules["redis"]
