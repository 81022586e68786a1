"""Flask's JSON, by orjson: what a view returns leaves as the dialects' JSON does, on one line."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

from app.dialects.frames import json_line


class LineJson(JSONProvider):
    """The provider of an app (`app.json`)."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return JSON on one line; options of the standard library's `json` are not taken."""
        return json_line(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Return the value. Raises ValueError, on NaN and lone surrogates too."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return an answer of the one value, or of the object that the names make."""
        return Response(json_line(args[0] if args else kwargs), mimetype="application/json")
