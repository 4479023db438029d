"""What the REST API and the gateway share of HTTP: waitress, bounded in threads, connections, bytes and time."""

from serving.http.server import HttpLimits, HttpServer

__all__ = ["HttpLimits", "HttpServer"]
