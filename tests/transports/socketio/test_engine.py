"""Events on their way to a Socket.IO client."""

from __future__ import annotations

import pytest
from socketio.packet import EVENT

from app.transports.socketio.packets import StrictPacket
from app.transports.socketio.viewers import event_packet


@pytest.mark.parametrize(
    "payload",
    [{}, {"token": 'é\u2028"\\', "count": 1, "none": None}, {"nested": [{"a": 1.5}, True]}],
)
def test_an_event_is_what_the_library_would_send(payload):
    by_library = StrictPacket(EVENT, ["chat_token", payload], namespace="/").encode()
    assert event_packet("chat_token", payload) == by_library
