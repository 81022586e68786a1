"""Settings: each is declared once, in the section that its consumer is handed; read from the
environment at the start."""

from app.settings.listing import Setting, secrets_of, settings_of
from app.settings.load import AllSettings, BadSetting, environment, load

__all__ = [
    "AllSettings",
    "BadSetting",
    "Setting",
    "environment",
    "load",
    "secrets_of",
    "settings_of",
]
