"""Tandem: a chat server that streams every model reply over SSE and Socket.IO from one log.

`app.wiring.create_app` builds it; docs/architecture.md draws it.
"""

__version__ = "0.1.0"
