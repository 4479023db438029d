"""The Socket.IO side: the original's requests for sources and live streams (docs/socketio.md)."""

from streamer.web.sockets.server import Sockets

__all__ = ["Sockets"]
