"""Socket.IO packets that are not what they should be, turned into an event that is answered.

The library closes the connection on some, ignores others, and takes `42["connect"]` for a connect.
Here every event packet ends up as one of ours or as REFUSED, which the namespace answers with an
error.
"""

from __future__ import annotations

from typing import Any

import orjson
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet

from app.transports.guards.nesting import is_bounded

REFUSED = "tandem:refused"  # no client can send it: StrictPacket takes names with this prefix out
RESERVED = {"connect", "connect_error", "disconnect", "disconnecting", "error"}


class OrJson:
    """orjson as python-socketio wants a json module."""

    JSONDecodeError = orjson.JSONDecodeError

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """Return JSON on one line."""
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(data: str | bytes, **options: Any) -> Any:
        """Return the value. Raises JSONDecodeError, on NaN, lone surrogates, and much nesting."""
        if not is_bounded(data):
            raise orjson.JSONDecodeError("nested too deep, or too often", "", 0)
        return orjson.loads(data)


class ValidPacket(Packet):  # type: ignore[misc]
    """A packet whose payload is what its type has (Socket.IO's protocol, Packet encoding)."""

    data: Any

    def decode(self, encoded_packet: Any) -> int:
        """Decode; return how many attachments are to come. Raises ValueError."""
        if not isinstance(encoded_packet, str):
            raise ValueError("there is no event for this attachment")
        count = int(super().decode(encoded_packet) or 0)
        if not self._is_valid() or (count and self.packet_type not in {BINARY_EVENT, BINARY_ACK}):
            raise ValueError("the payload is not one of its type")
        return count

    def _is_valid(self) -> bool:
        data, kind = self.data, self.packet_type
        if kind in {EVENT, BINARY_EVENT}:
            is_event = isinstance(data, list) and bool(data) and isinstance(data[0], str)
            return is_event and data[0] not in RESERVED
        if kind in {ACK, BINARY_ACK}:
            return isinstance(data, list)
        if kind in {CONNECT, DISCONNECT}:
            return data is None or (kind == CONNECT and isinstance(data, dict))
        return False  # a type that no client sends


class StrictPacket(ValidPacket):
    """A packet that never raises on what a client sent; refused ones say why in their data."""

    json = OrJson
    uses_binary_events = False  # our events carry no binary

    def decode(self, encoded_packet: Any) -> int:
        """Decode; the number of attachments to wait for is always 0."""
        if not isinstance(encoded_packet, str):
            self._refuse("binary data is not taken")
            return 0
        try:
            super().decode(encoded_packet)
        except (ValueError, RecursionError):
            if encoded_packet[:1] in {str(EVENT), str(BINARY_EVENT)}:
                self._refuse("the event is not valid JSON")
                return 0
            raise
        if self.packet_type in {BINARY_EVENT, BINARY_ACK}:
            self._refuse("binary data is not taken")
        elif self.packet_type == EVENT:
            self._check_event()
        elif self.packet_type == ACK and not isinstance(self.data, list):
            self.data = []
        return 0

    def _is_valid(self) -> bool:
        """Whether it is a packet at all; what is wrong with one of these is answered, or passed."""
        answered = {CONNECT, EVENT, ACK, BINARY_EVENT, BINARY_ACK}
        return self.packet_type in answered or super()._is_valid()

    def _check_event(self) -> None:
        data = self.data
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            self._refuse("an event is a list that starts with its name")
        elif data[0] in RESERVED or data[0].startswith("tandem:") or data[0] == "*":
            self._refuse(f"{data[0][:32]} is not an event that clients send")

    def _refuse(self, reason: str) -> None:
        self.packet_type = EVENT
        self.namespace = None
        self.data = [REFUSED, reason]
