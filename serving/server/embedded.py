"""The embedded model server, put together: gRPC services, health, and the watcher of the repository."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from serving.repository import ModelRepository
from serving.server.health import Health
from serving.server.loader import load_for_service
from serving.server.served_versions import ServedVersions
from serving.server.services import SERVICE_NAMES, make_grpc_server
from serving.server.thread_pools import LIGHT_WORKERS
from serving.server.watcher import RepositoryWatcher
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.ports import join_address

_GRACE_S: Final = 2.5  # for requests in flight when the server stops
_CANCEL_S: Final = 0.5  # and for those that were then cancelled
_JOIN_S: Final = 1.0


class EmbeddedServer:
    """TensorFlow Serving's gRPC API over a repository, in threads of this process; started once.

    Args:
        repository: its newest fit version is served.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        poll_interval_s: how often to look for a new version.
        max_message_mb: largest message, both directions.
    """

    def __init__(
        self,
        repository: ModelRepository,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        poll_interval_s: float = 1.0,
        max_message_mb: int = 64,
    ) -> None:
        self._host, self._port = host, port
        self._max_message_bytes = max_message_mb << 20
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._light = ThreadPoolExecutor(LIGHT_WORKERS, thread_name_prefix="light-rpc")
        self._health = Health(SERVICE_NAMES, self._light)
        self._versions = ServedVersions(repository, load_for_service, self._on_change)
        self._watcher = RepositoryWatcher(self._versions, poll_interval_s)
        self._server: Any = None

    @property
    def generation(self) -> int | None:
        """The version in service, None while there is none."""
        return self._versions.current

    @property
    def address(self) -> str:
        """Where clients reach the server, once it is started."""
        return join_address(self._host, self._port)

    def start(self) -> int:
        """Listen, and begin to load the newest version; returns the port.

        Raises:
            ProcessError: the address cannot be listened on, e.g. because the port is in use.
        """
        server = make_grpc_server(self._versions, self._health, self._light, self._max_message_bytes)
        try:
            self._port = server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise ProcessError(
                f"the model server cannot listen on {self.address}: the port is in use or the address is not "
                "of this machine; stop what uses it, or choose another with --port"
            ) from error
        server.start()
        self._server = server
        self._watcher.start()
        return self._port

    def wait_for_generation(self, timeout_s: float) -> int | None:
        """Wait until some version is in service; returns it, or None if none is by then."""
        with self._changed:
            self._changed.wait_for(lambda: self.generation is not None, timeout_s)
        return self.generation

    def stop(self) -> bool:
        """Refuse new requests, give those in flight 2.5 s, free the models; takes 4 s at most.

        Returns:
            Whether nothing is left running; False when TensorFlow is still loading or computing something.
        """
        self._health.leave()
        if self._server is None:
            return True
        self._server.stop(_GRACE_S).wait(_GRACE_S + _CANCEL_S)
        idle = self._watcher.stop(_JOIN_S) and self._versions.close()
        self._light.shutdown(wait=False, cancel_futures=True)
        self._stopped.set()
        return idle

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until ``stop`` was called; False if it was not by then."""
        return self._stopped.wait(timeout_s)

    def _on_change(self, version: int | None) -> None:
        self._health.set_serving(version is not None)
        with self._changed:
            self._changed.notify_all()
