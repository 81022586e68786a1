"""The composition root: the one room that sees every layer."""

from app.wiring.chat import open_chat
from app.wiring.parts import make_toolbox, read_catalog, read_prices
from app.wiring.runs import RunParts, make_runs
from app.wiring.server import create_app
from app.wiring.settings import Settings, load_settings

__all__ = [
    "RunParts",
    "Settings",
    "create_app",
    "load_settings",
    "make_runs",
    "make_toolbox",
    "open_chat",
    "read_catalog",
    "read_prices",
]
