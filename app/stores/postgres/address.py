"""A database's address, as it may be shown. Pure."""

from __future__ import annotations

import re

_IN_QUERY = re.compile(r"(?<=[?&])((?:ssl)?password|passfile)=[^&]*")


def shown(url: str) -> str:
    """Return the address without its password."""
    scheme, _, rest = url.partition("://")
    whose, at, where = rest.rpartition("@")
    who = whose.partition(":")[0]
    rest = f"{who}{at}{where}" if at else rest
    return f"{scheme}://" + _IN_QUERY.sub(r"\1=...", rest)
