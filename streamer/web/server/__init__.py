"""The HTTP server of the web process: waitress, from which a WebSocket takes its connection over."""

from streamer.web.server.http_server import WebServer
from streamer.web.server.websocket import WebSocket

__all__ = ["WebServer", "WebSocket"]
