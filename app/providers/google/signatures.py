"""Thought signatures: what Gemini gives with parts of its replies, and wants back in those parts.

They are kept in the shape in which Google's OpenAI-compatible endpoint has them, `extra_content`,
so that a client of /v1 can hold them. Source: Gemini API, "Thought signatures"; its questions and
answers have the word that stands for a missing one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.entries import storable
from app.core.messages import Part, text_parts
from app.core.turns import calls_in

MISSING = "skip_thought_signature_validator"  # of a call that another model made, or a client


def kept(signature: str) -> dict[str, Any]:
    """Return what an opaque part has of a signature."""
    return {"extra_content": {"google": {"thought_signature": storable(signature)}}}


@dataclass(frozen=True, slots=True)
class Signatures:
    """Which of them go along: those that `vendor` gave, or a client holds. With `needed` the calls
    of a step may not be without."""

    vendor: str
    needed: bool

    def _in(self, part: Part) -> str:
        extra = part.get("extra_content") if part["type"] == "opaque" else None
        if not isinstance(extra, Mapping) or part["vendor"] not in {self.vendor, ""}:
            return ""
        googles = extra.get("google")
        found = googles.get("thought_signature") if isinstance(googles, Mapping) else None
        return found if isinstance(found, str) else ""

    def of_calls(self, content: Sequence[Part]) -> dict[str, str]:
        """Return the signatures of a step's calls, by call: of calls at once it is the first that
        has one."""
        own = (part for part in content if part["type"] == "opaque" and "call_id" in part)
        signed = {part["call_id"]: found for part in own if (found := self._in(part))}
        calls = calls_in(content)
        if self.needed and calls and not signed:
            signed[calls[0]["call_id"]] = MISSING
        return signed

    def split(self, content: Sequence[Part]) -> Iterator[Part]:
        """Yield texts, images and calls; the text that was signed apart from the others. What was
        signed has its `thoughtSignature`."""
        text = ""
        for part, after in zip(content, [*content[1:], None], strict=True):
            if part["type"] == "text":
                text += part["text"]
            elif part["type"] != "opaque":
                yield from text_parts(text) if text else ()
                text = ""
                signature = self._in(after) if after and _is_of_image(part, after) else ""
                yield {**part, "thoughtSignature": signature} if signature else part
            elif (
                "call_id" not in part and not part.get("of_image") and (signature := self._in(part))
            ):
                place = max(0, len(text) - part.get("of", 0))
                yield from text_parts(text[:place]) if place else ()
                (said,) = text_parts(text[place:])
                yield {**said, "thoughtSignature": signature}
                text = ""
        yield from text_parts(text) if text else ()


def _is_of_image(part: Part, after: Part) -> bool:
    """Whether what follows a part is the signature of the image that it is."""
    return part["type"] == "image" and after["type"] == "opaque" and "of_image" in after
