"""A websocket that speaks Engine.IO by hand."""

from __future__ import annotations

import socket

import websocket

from tests.support.server import Server


class RawSocket:
    """One connection, to the default namespace unless it is an upgrade of the session `sid`."""

    def __init__(self, server: Server, sid: str = "", receive_buffer: int = 0) -> None:
        path = "/socket.io/?EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")
        small = ((socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer),) if receive_buffer else ()
        self.websocket = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}{path}", timeout=10, sockopt=small
        )
        if not sid:
            self.receive()
            self.send("40")
            self.receive()

    def send(self, packet: str) -> None:
        """Send one packet."""
        self.websocket.send(packet)

    def receive(self) -> str:
        """Return the next packet; empty once the server has hung up."""
        packet: str = self.websocket.recv()
        return packet

    def receive_until(self, part: str) -> list[str]:
        """Return the packets up to and with the one that has this part."""
        packets = [self.receive()]
        while part not in packets[-1]:
            assert packets[-1], "the server hung up"
            packets.append(self.receive())
        return packets

    def close(self) -> None:
        """Hang up."""
        self.websocket.close()
