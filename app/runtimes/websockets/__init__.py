"""Websockets as RFC 6455 has them, under both servers: `websockets` reads the frames."""
