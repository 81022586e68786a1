"""Every setting, read once into a frozen Settings. The only reader of os.environ."""

from app.settings.load import BadSetting, Settings, load_settings
from app.settings.table import SETTINGS, Setting

__all__ = ["SETTINGS", "BadSetting", "Setting", "Settings", "load_settings"]
