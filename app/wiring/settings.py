"""Every setting there is, in one table."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import model_validator

from app.providers.build import Vendors
from app.providers.settings import ProviderSettings
from app.settings import AllSettings, load
from app.settings.sections import (
    AttachmentSettings,
    AuthSettings,
    ChatSettings,
    LimitSettings,
    LogSettings,
    RateSettings,
    RunSettings,
    ServerSettings,
    StoreSettings,
    ToolSettings,
    UsageSettings,
    check_is_ones_own,
    check_reach,
    check_redis,
    check_workers,
)


class Settings(AllSettings):
    """Every setting, in the order that README.md has."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    logs: LogSettings = LogSettings()
    vendors: Vendors = Vendors()
    providers: ProviderSettings = ProviderSettings()
    chats: ChatSettings = ChatSettings()
    tools: ToolSettings = ToolSettings()
    attachments: AttachmentSettings = AttachmentSettings()
    usage: UsageSettings = UsageSettings()
    auth: AuthSettings = AuthSettings()
    rates: RateSettings = RateSettings()
    limits: LimitSettings = LimitSettings()
    runs: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _check_reach(self) -> Settings:
        check_reach(self.server, self.auth)
        check_redis(self.store)
        check_workers(self.server, self.store)
        if self.providers.show_upstream_errors:
            check_is_ones_own(self.server, self.auth)
        return self


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment, by default the process's. Raises BadSetting."""
    return load(Settings, environ)
