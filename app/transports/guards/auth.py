"""Who asks: gives a Principal or raises Unauthorized, the same for both transports.

Access tokens are JWTs (RFC 7519) with `exp` and `sub`. The algorithms are fixed by which key is
set, never by the token's header (RFC 8725, 3.1). A token is taken from `Authorization: Bearer` or
from Socket.IO's auth object; in a URL it would be in every log on its way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import jwt
from pydantic import SecretStr

from app.chats.request import ANONYMOUS, Principal
from app.core.errors import Unauthorized

log = logging.getLogger(__name__)
MAX_TOKEN_BYTES = 8192
SKEW_S = 30  # how far an issuer's clock may be ahead (`iat`, `nbf`); `exp` is taken at its word
JWKS_TIMEOUT_S = 5
SYMMETRIC = ["HS256"]
ASYMMETRIC = ["RS256", "ES256"]


class AuthOptions(Protocol):
    """How tokens are checked; one key of the three."""

    @property
    def mode(self) -> str:
        """It is off, optional or required."""

    @property
    def jwt_secret(self) -> SecretStr: ...

    @property
    def jwt_public_key(self) -> SecretStr: ...

    @property
    def jwks_url(self) -> str: ...

    @property
    def jwt_audience(self) -> str: ...

    @property
    def jwt_issuer(self) -> str: ...


class Authenticator:
    """Checks tokens; thread-safe."""

    def __init__(self, options: AuthOptions, now: Callable[[], float] = time.time) -> None:
        self.mode = options.mode
        self._audience = options.jwt_audience
        self._issuer = options.jwt_issuer
        self._now = now
        secret = options.jwt_secret.get_secret_value()
        self._fixed_key = secret or options.jwt_public_key.get_secret_value()
        self._algorithms = SYMMETRIC if secret else ASYMMETRIC
        self._jwks = (
            jwt.PyJWKClient(options.jwks_url, timeout=JWKS_TIMEOUT_S) if options.jwks_url else None
        )

    def principal(self, token: str | None) -> Principal:
        """Return who the token stands for. Raises Unauthorized."""
        if self.mode == "off":
            return ANONYMOUS
        if token is None:
            if self.mode == "optional":
                return ANONYMOUS
            raise Unauthorized()
        claims = self._claims(token)
        try:
            expires_at = float(claims["exp"])  # an issuer may write it as a string
            claims["sub"].encode()  # half a surrogate pair cannot be stored
        except (ValueError, OverflowError):
            raise Unauthorized() from None
        if expires_at <= self._now() or not claims["sub"]:
            raise Unauthorized()
        return Principal(
            id=f"user:{claims['sub']}",
            name=claims["sub"],
            is_admin=claims.get("admin") is True,
            expires_at=expires_at,
        )

    def still_valid(self, principal: Principal) -> bool:
        """Whether the token that the principal came with has not expired since."""
        return principal.expires_at is None or principal.expires_at > self._now()

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_BYTES:
            raise Unauthorized()
        try:
            return jwt.decode(
                token,
                self._key(token),
                algorithms=self._algorithms,
                audience=self._audience or None,
                issuer=self._issuer or None,
                leeway=SKEW_S,
                options={"require": ["exp", "sub"], "verify_aud": bool(self._audience)},
            )
        except jwt.PyJWKClientConnectionError as error:
            log.warning("the issuer's keys cannot be fetched: %s", type(error).__name__)
            raise Unauthorized() from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unauthorized() from None

    def _key(self, token: str) -> Any:
        if self._jwks is not None:
            return self._jwks.get_signing_key_from_jwt(token).key
        return self._fixed_key
