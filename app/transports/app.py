"""The Flask app and its Socket.IO server, made from the services."""

from __future__ import annotations

import mimetypes
from functools import partial
from pathlib import Path
from typing import cast

from flask import Flask
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_socketio import SocketIO
from limits.storage import MovingWindowSupport
from werkzeug.middleware.proxy_fix import ProxyFix

from app.transports.guards.rates import address_of
from app.transports.guards.wsgi import Guards
from app.transports.http import actions, chat, errors, hooks, models, public, runs
from app.transports.http.conversations import attachments, messages, news, sessions
from app.transports.http.json import LineJson
from app.transports.http.peers import (
    ai_sdk,
    anthropic,
    ollama,
    openai,
    responses,
    session_messages,
)
from app.transports.openapi import document as openapi
from app.transports.services import KEY, Services
from app.transports.socketio.chat import MAX_OVER, ChatNamespace
from app.transports.socketio.engine import begin_ids_with, outlet_of, use_classes
from app.transports.socketio.packets import OrJson, StrictPacket
from app.transports.socketio.socket_protocol import serve_protocol

ROOT = Path(__file__).parent.parent.parent
PING_INTERVAL_S = 25
PING_TIMEOUT_S = 20
CONNECT_TIMEOUT_S = 10  # for a Socket.IO client to be in a namespace
FRAMES_AN_EVENT = 4  # on average: what is long comes in fragments, and there are pings
FRAMES_OVER = 1000  # the fragments of one long message
CORS_METHODS = ["GET", "POST", "PATCH", "DELETE", "OPTIONS"]
# What a preflight asks for, of an origin that is allowed: SDKs in pages send many of their own, and
# no cookies are involved.
CORS_HEADERS = "*"
EXPOSED_HEADERS = [
    "X-Run-Id",
    "X-Session-Id",
    "X-Conversation-Id",
    "X-Request-Id",
    "Content-Disposition",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
]


# All routes but those that start runs, which the table of dialects has.
BLUEPRINTS = (
    runs.routes,
    actions.routes,
    sessions.routes,
    messages.routes,
    attachments.routes,
    news.routes,
    session_messages.routes,
    openai.routes,
    ai_sdk.routes,
    anthropic.routes,
    ollama.routes,
    responses.routes,
    models.routes,
    public.health_routes,
    public.pages,
    openapi.routes,
)


def make_app(services: Services, async_mode: str) -> Flask:
    """Return the app with every route and event, behind the guards."""
    app = Flask(
        "tandem", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static")
    )
    mimetypes.add_type("text/javascript", ".mjs")  # not every system knows it
    app.json = LineJson(app)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # a redirect is HTML, and `//` is no path of ours
    app.config["RATELIMIT_ENABLED"] = True
    app.extensions[KEY] = services
    limiter.init_app(app)
    errors.register(app)
    hooks.register(app, services)
    chat.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    openapi.register(app, services.auth.mode)  # after the routes that it describes
    _add_cors(app, services)
    namespace = ChatNamespace(services)
    _add_socketio(app, namespace, services, async_mode)
    app.extensions["tandem.sockets"] = namespace
    if services.siblings is not None:
        services.siblings.figures = partial(public.figures_of, services)
    app.wsgi_app = Guards(app.wsgi_app, services)  # type: ignore[method-assign]
    proxies = services.limits.trusted_proxies
    if proxies:
        # Only as many hops as there are proxies of ours: what is left of them a client can forge.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0
        )
    return app


def _add_cors(app: Flask, services: Services) -> None:
    cors.init_app(
        app,
        origins=services.origins.patterns(),
        methods=CORS_METHODS,
        allow_headers=CORS_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        supports_credentials=False,
    )


def _add_socketio(
    app: Flask, namespace: ChatNamespace, services: Services, async_mode: str
) -> None:
    socketio = SocketIO(
        async_mode=async_mode,
        cors_allowed_origins=lambda origin, environ: services.origins.allows(environ),
        serializer=StrictPacket,
        json=OrJson,
        # one event of a client at a time: no task an event, and back-pressure
        async_handlers=False,
        manage_session=False,
        max_http_buffer_size=services.max_body_bytes,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        logger=False,
        engineio_logger=False,
    )
    # Before init_app: a handler that comes later is missing from the server of the next app.
    socketio.on_namespace(namespace)
    socketio.init_app(app)
    connections, per_s = services.connections, services.limits.socket_events_per_s
    frames_per_s = per_s * FRAMES_AN_EVENT
    serve_protocol(
        socketio,
        connect_timeout=CONNECT_TIMEOUT_S,
        most_waiting=services.limits.max_sockets_per_user,
        address_of=address_of,
        give_up_turn=connections.give_up_turn,
        admission=lambda: connections.allowance(per_s, per_s + MAX_OVER),
        frame_admission=lambda: connections.allowance(frames_per_s, frames_per_s + FRAMES_OVER),
    )
    use_classes(socketio.server.eio, services.connections)
    node, siblings = services.facts.node, services.siblings
    prefix = (f"{node}." if node else "") + (siblings.prefix if siblings else "")
    if prefix:
        begin_ids_with(socketio.server.eio, prefix)
    namespace.reach_by(outlet_of(socketio.server))


def own_windows() -> MovingWindowSupport:
    """Return where Flask-Limiter counts in this process, for the app that was made last."""
    return cast(MovingWindowSupport, limiter.limiter.storage)


cors = CORS()
limiter = Limiter(get_remote_address, strategy="moving-window", storage_uri="memory://")
# Nothing is decorated, guards/rates.py hits the buckets: no request need be looked at before it.
limiter.request_filter(lambda: True)
