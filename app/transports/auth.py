"""Who asks: gives a Principal or raises Unauthorized, for both transports."""

from __future__ import annotations

from app.chats.chat_request import ANONYMOUS, Principal


class Authenticator:
    """Without authentication everybody is the one anonymous principal."""

    mode = "off"

    def principal(self, token: str | None) -> Principal:
        """Return who the token stands for."""
        return ANONYMOUS
