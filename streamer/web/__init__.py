"""The web process: Flask and Socket.IO over the engine, the gateway beside them, two pages (docs/web.md)."""

from streamer.web.process import serve_web

__all__ = ["serve_web"]
