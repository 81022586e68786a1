"""A web server for pages of somebody else's origin, as a page in development has one."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# no white space: what the body holds is what the script puts there
HTML = b"<!doctype html><meta charset=utf-8><body></body>"
HTML += b"<script type=module src=script.js></script>"


class Pages:
    """Serves pages that are nothing but a script."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, bytes]] = {"/favicon.ico": ("image/x-icon", b"")}
        files = self._files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content_type, body = files[self.path]
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, script: str) -> str:
        """Return the address of a page with this script."""
        folder = f"/{len(self._files)}/"
        self._files[folder] = ("text/html", HTML)
        self._files[folder + "script.js"] = ("text/javascript; charset=utf-8", script.encode())
        return f"http://localhost:{self._server.server_port}{folder}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
