"""Proxies of our own on real sockets: HTTP (forwarding and tunnels, in TLS too) and SOCKS.

Whatever host one is asked for, it connects to the port of this machine that it was given, so names
that nobody knows can be asked for. `asked` is what for, `refusals` why not.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from base64 import b64encode
from contextlib import suppress

USER, PASSWORD = "us er@corp", "p:a/ss é"
USERINFO = "us%20er%40corp:p%3Aa%2Fss%20%C3%A9"  # the same, as it is written in an address


Granted = tuple[bytes, bytes]  # what the client is told, what the server is sent first


class Refused(Exception):
    """The client gets no way through."""


class RelayingProxy:
    """Accepts, asks its subclass who is asked for, and passes bytes on; a thread a client."""

    def __init__(
        self, target_port: int, password: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.asked: list[str] = []
        self.refusals: list[str] = []
        self._target, self._password, self._tls = target_port, password, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, scheme: str) -> str:
        """Return its address, with the user and password if it wants them."""
        user = f"{USERINFO}@" if self._password else ""
        return f"{scheme}://{user}127.0.0.1:{self.port}"

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            told, passed_on = self._let_in(client)
            server = socket.create_connection(("127.0.0.1", self._target))
            client.sendall(told)
            server.sendall(passed_on)
        except (OSError, EOFError, Refused) as error:
            self.refusals.append(str(error))
            with suppress(OSError):  # what the client says beyond may not cut what it was told
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            client.close()
            return
        with client, server, suppress(OSError):
            _pass(client, server)

    def _let_in(self, client: socket.socket) -> Granted:
        """Read whom it asks for. Raises Refused, once the client was told."""
        raise NotImplementedError


class HttpProxy(RelayingProxy):
    """Asks for Basic authorization, if it has a password. `answer` is what it says instead, and
    hangs up; `at_once` likewise, unasked; `interim` goes before its yes to a tunnel."""

    answer: bytes | None = None
    at_once: bytes | None = None
    interim = b""

    def _let_in(self, client: socket.socket) -> Granted:
        if self.at_once is not None:
            client.sendall(self.at_once)
            raise Refused("as told")
        head = b""
        while b"\r\n\r\n" not in head:
            head += _some(client)
        head, _, rest = head.partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        method, url, _ = line.split(" ")
        self.asked.append(url)
        if self.answer is not None:
            client.sendall(self.answer)
            raise Refused("as told")
        given = [one for one in headers if one.lower().startswith("proxy-authorization: ")]
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self._password and given != [f"Proxy-Authorization: Basic {token}"]:
            client.sendall(
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
            )
            raise Refused("407")
        if method == "CONNECT":
            return self.interim + b"HTTP/1.1 200 Connected\r\n\r\n", b""
        kept = [f"{method} /{url.split('/', 3)[-1]} HTTP/1.1"]
        kept += [one for one in headers if one not in given]
        return b"", "\r\n".join([*kept, "", ""]).encode() + rest


class Socks5Proxy(RelayingProxy):
    """RFC 1928, and RFC 1929 if it has a password; `status` other than 0 refuses."""

    status = 0

    def _let_in(self, client: socket.socket) -> Granted:
        version, count = _exactly(client, 2)
        if version != 5:
            raise Refused("no SOCKS 5")
        wanted = 2 if self._password else 0
        if wanted not in _exactly(client, count):
            client.sendall(b"\x05\xff")
            raise Refused("no method")
        client.sendall(bytes((5, wanted)))
        if wanted:
            given = [_exactly(client, _exactly(client, size)[-1]) for size in (2, 1)]
            right = given == [USER.encode(), PASSWORD.encode()]
            client.sendall(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                raise Refused("password")
        kind = _exactly(client, 4)[3]
        host = {
            1: lambda: socket.inet_ntop(socket.AF_INET, _exactly(client, 4)),
            3: lambda: _exactly(client, _exactly(client, 1)[0]).decode(),
            4: lambda: socket.inet_ntop(socket.AF_INET6, _exactly(client, 16)),
        }[kind]()
        self.asked.append(f"{host}:{struct.unpack('>H', _exactly(client, 2))[0]}")
        if self.status:
            client.sendall(bytes((5, self.status, 0, 1)) + bytes(6))
            raise Refused("as told")
        return b"\x05\x00\x00\x01" + bytes(6), b""


class Socks4Proxy(RelayingProxy):
    """SOCKS 4 and 4A; the user is all that it can ask for. `status` other than 90 refuses."""

    status = 90

    def _let_in(self, client: socket.socket) -> Granted:
        version, _, port = struct.unpack(">BBH", _exactly(client, 4))
        address = _exactly(client, 4)
        user = _until_nul(client)
        named = address[:3] == b"\0\0\0" and address[3]
        host = _until_nul(client).decode() if named else socket.inet_ntoa(address)
        self.asked.append(f"{host}:{port}")
        wrong = version != 4 or (self._password and user != USER.encode())
        status = 93 if wrong else self.status
        if status != 90:
            client.sendall(bytes((0, status)) + bytes(6))
            raise Refused("as told")
        return b"\x00\x5a" + bytes(6), b""


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise EOFError("hung up")
    return data


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError("hung up")
        data += more
    return data


def _until_nul(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\0"):
        data += _exactly(connection, 1)
    return data[:-1]


def _pass(client: socket.socket, server: socket.socket) -> None:
    """Pass bytes on until either has no more to say; in one thread, which TLS needs."""
    other = {client: server, server: client}
    while True:
        for source in select.select([client, server], [], [])[0]:
            data = source.recv(65536)
            # Of what TLS has decrypted select knows nothing.
            while data and isinstance(source, ssl.SSLSocket) and source.pending():
                data += source.recv(65536)
            if not data:
                return
            other[source].sendall(data)
