"""What a response says, as it grows out of a run's entries: its items, and the events of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.core.entries import (
    OPAQUE,
    REASONING,
    REFUSAL,
    TEXT,
    TOOL_ARGS,
    TOOL_CALL,
    TOOL_READY,
    Entry,
)
from app.core.tools import CLIENT
from app.dialects.responses.items import call_item, sealed
from app.dialects.responses.shapes import ItemStatus

Event = tuple[str, dict[str, Any]]  # its type, without `response.`, and what else it has
# Where a part has its text, what else it has, and what its events have.
PARTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "output_text": ("text", {"annotations": []}, {"logprobs": []}),
    "refusal": ("refusal", {}, {}),
}


CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}  # and why


class Output:
    """The items of one reply, in order. What is said in pieces is open until another kind is; calls
    are open beside each other until they are whole."""

    def __init__(self, run_id: str, seals: bool) -> None:
        """`seals` says that what only the vendor reads is shown too, for the client to hold."""
        self.items: list[dict[str, Any]] = []
        self._run_id = run_id
        self._seals = seals
        self._said: list[str] = []  # of the part that is open
        self._part = ""  # its type; empty where none is open
        self._calls: dict[int, int] = {}  # where those are that are open, by their numbers
        self._args: dict[int, list[str]] = {}
        self._takes: dict[str, Callable[[Any], list[Event]]] = {
            TEXT: lambda text: self._say("output_text", text),
            REFUSAL: lambda text: self._say("refusal", text),
            REASONING: self._think,
            OPAQUE: self._seal,
            TOOL_CALL: self._call,
            TOOL_ARGS: self._arguments,
            TOOL_READY: self._ready,
        }

    def take(self, entry: Entry) -> list[Event]:
        """Take the next entry; return its events, the last of which is the piece, if it is one.
        Of a kind that has no place there are none."""
        takes = self._takes.get(entry.kind)
        return takes(entry.data) if takes is not None else []

    def finish(self, end: Entry) -> list[Event]:
        """Return the events that end what is open, as the reply does."""
        is_whole = end.data["status"] == "completed" and end.data["finish_reason"] not in CUT
        events = self._close("completed" if is_whole else "incomplete")
        for n, index in sorted(self._calls.items()):
            item = self.items[index]
            item |= {"status": "incomplete", "arguments": "".join(self._args[n])}
            events.append(("output_item.done", {"output_index": index, "item": item}))
        self._calls.clear()
        return events

    def so_far(self) -> list[dict[str, Any]]:
        """Return the items with what is said of the open ones."""
        items = list(self.items)
        if self._part:
            items[-1] = self._with_part(items[-1])
        for n, index in self._calls.items():
            items[index] = {**items[index], "arguments": "".join(self._args[n])}
        return items

    # --- What is said in pieces -------------------------------------------------------------------

    def _say(self, part: str, text: str) -> list[Event]:
        events: list[Event] = []
        if self._part not in PARTS:
            events = self._close()
            item = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
            events.append(self._begin("msg", item))
        if self._part != part:
            events += self._close_part() if self._part else []
            self._part = part
            events.append(("content_part.added", {**self._at_part(), "part": self._part_of("")}))
        self._said.append(text)
        more = PARTS[part][2]
        events.append((f"{part}.delta", {**self._at_part(), "delta": text, **more}))
        return events

    def _think(self, text: str) -> list[Event]:
        events: list[Event] = []
        if self._part != "summary_text":
            events = self._close()
            events.append(self._begin("rs", {"type": "reasoning", "summary": []}))
            self._part = "summary_text"
            part = {"part": self._part_of("")}
            events.append(("reasoning_summary_part.added", {**self._at_part(), **part}))
        self._said.append(text)
        events.append(("reasoning_summary_text.delta", {**self._at_part(), "delta": text}))
        return events

    def _seal(self, data: Mapping[str, Any]) -> list[Event]:
        if not self._seals:
            return []
        held = {"encrypted_content": sealed(data)}
        if self._part == "summary_text":
            return self._close(more=held)
        events = self._close()
        item = {"type": "reasoning", "summary": [], **held}
        events.append(self._begin("rs", item))
        events.append(("output_item.done", {**self._at(), "item": self.items[-1]}))
        return events

    # --- Calls ------------------------------------------------------------------------------------

    def _call(self, call: Mapping[str, Any]) -> list[Event]:
        if call["source"] != CLIENT:
            return []
        events = self._close()
        names = {"call_id": call["call_id"], "name": call["name"], "arguments": ""}
        events.append(
            self._begin("fc", {"type": "function_call", "status": "in_progress", **names})
        )
        self._calls[call["n"]] = len(self.items) - 1
        self._args[call["n"]] = []
        return events

    def _arguments(self, piece: Mapping[str, Any]) -> list[Event]:
        index = self._calls.get(piece["n"])
        if index is None:
            return []
        self._args[piece["n"]].append(piece["delta"])
        at = {"item_id": self.items[index]["id"], "output_index": index}
        return [("function_call_arguments.delta", {**at, "delta": piece["delta"]})]

    def _ready(self, call: Mapping[str, Any]) -> list[Event]:
        index = self._calls.pop(call["n"], None)
        if index is None:
            return []
        written = "".join(self._args.pop(call["n"]))
        item: dict[str, Any] = {**call_item(call, self.items[index]["id"])}
        item["arguments"] = written or item["arguments"]
        self.items[index] = item
        at = {"output_index": index}
        whole = {"item_id": item["id"], **at, "name": item["name"], "arguments": item["arguments"]}
        return [
            ("function_call_arguments.done", whole),
            ("output_item.done", {**at, "item": item}),
        ]

    # --- What items and parts have in common ------------------------------------------------------

    def _begin(self, prefix: str, item: dict[str, Any]) -> Event:
        self.items.append({"id": f"{prefix}_{self._run_id}_{len(self.items)}", **item})
        return ("output_item.added", {**self._at(), "item": self.items[-1]})

    def _at(self) -> dict[str, Any]:
        return {"output_index": len(self.items) - 1}

    def _at_part(self) -> dict[str, Any]:
        index = "summary_index" if self._part == "summary_text" else "content_index"
        item = self.items[-1]
        place = len(item.get("content", item.get("summary", ())))
        return {"item_id": item["id"], **self._at(), index: place}

    def _part_of(self, text: str) -> dict[str, Any]:
        if self._part == "summary_text":
            return {"type": self._part, "text": text}
        field, more, _ = PARTS[self._part]
        return {"type": self._part, field: text, **more}

    def _with_part(self, item: dict[str, Any]) -> dict[str, Any]:
        name = "summary" if self._part == "summary_text" else "content"
        return {**item, name: [*item[name], self._part_of("".join(self._said))]}

    def _close_part(self) -> list[Event]:
        text = "".join(self._said)
        at, part = self._at_part(), self._part_of(text)
        self.items[-1] = self._with_part(self.items[-1])
        thinks = self._part == "summary_text"
        if thinks:
            said: Event = ("reasoning_summary_text.done", {**at, "text": text})
        else:
            field, _, more = PARTS[self._part]
            said = (f"{self._part}.done", {**at, field: text, **more})
        name = "reasoning_summary_part.done" if thinks else "content_part.done"
        self._said, self._part = [], ""
        return [said, (name, {**at, "part": part})]

    def _close(
        self, status: ItemStatus = "completed", more: Mapping[str, Any] | None = None
    ) -> list[Event]:
        """Return the events that end the item whose part is open, if there is one."""
        if not self._part:
            return []
        events = self._close_part()
        item = self.items[-1]
        said = {"status": status} if item["type"] == "message" else {}
        self.items[-1] = {**item, **said, **(more or {})}
        events.append(("output_item.done", {**self._at(), "item": self.items[-1]}))
        return events
