"""gRPC health (https://grpc.io/docs/guides/health-checking): SERVING while a version answers."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.server.thread_pools import in_pool


class Health:
    """The health of the whole server (service name ``""``) and of each service, all the same here."""

    def __init__(self, services: Iterable[str], pool: ThreadPoolExecutor) -> None:
        self._services = ("", *services)
        self._servicer = health.HealthServicer()  # Watch holds no thread: it is told by set
        self._handlers = _Handlers()
        self._handlers.Check = in_pool(self._servicer.Check, pool)
        self._handlers.Watch = self._servicer.Watch
        self.set_serving(False)

    def add_to(self, server: Any) -> None:
        """Register the service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._handlers, server)

    def set_serving(self, serving: bool) -> None:
        """Tell those who ask and those who watch."""
        status = health_pb2.HealthCheckResponse
        for service in self._services:
            self._servicer.set(service, status.SERVING if serving else status.NOT_SERVING)

    def leave(self) -> None:
        """NOT_SERVING from now on, whatever is set later."""
        self._servicer.enter_graceful_shutdown()


class _Handlers:
    """What gRPC registers."""

    Check: Any
    Watch: Any
