"""Make an access token: `make token SUB=alice DAYS=30`, with ADMIN=1 for an operator's.

Signs with JWT_SECRET from the environment or .env; a server with the same secret accepts it.
"""

import os
import sys
import time
from pathlib import Path

import jwt
from dotenv import find_dotenv, load_dotenv

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.settings import AllSettings, BadSetting, load  # noqa: E402
from app.settings.sections import AuthSettings  # noqa: E402

DAY_S = 86400
MAX_DAYS = 3650  # a token cannot be taken back


class Settings(AllSettings):
    """What a token depends on."""

    auth: AuthSettings = AuthSettings()


def main() -> int:
    """Print a token, or say what is missing."""
    load_dotenv(find_dotenv(usecwd=True))
    subject = os.environ.get("SUB", "").strip()
    try:
        settings = load(Settings).auth
    except BadSetting as error:
        print(f"No token: {error}", file=sys.stderr)
        return 2
    days = _days(os.environ.get("DAYS", "").strip() or "30")
    if days is None:
        print(f"No token: DAYS must be more than 0 and at most {MAX_DAYS}.", file=sys.stderr)
        return 2
    secret = settings.jwt_secret.get_secret_value()
    if not subject or not secret:
        missing = "SUB=<who>" if not subject else "JWT_SECRET in .env (`openssl rand -hex 32`)"
        print(f"No token: set {missing}.", file=sys.stderr)
        return 2
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + int(days * DAY_S)}
    if settings.jwt_audience:
        claims["aud"] = settings.jwt_audience
    if settings.jwt_issuer:
        claims["iss"] = settings.jwt_issuer
    if os.environ.get("ADMIN", "") in {"1", "true", "yes"}:
        claims["admin"] = True
    print(jwt.encode(claims, secret, algorithm="HS256"))
    return 0


def _days(value: str) -> float | None:
    try:
        days = float(value)
    except ValueError:
        return None
    return days if 0 < days <= MAX_DAYS else None  # NaN fails here too


if __name__ == "__main__":
    sys.exit(main())
