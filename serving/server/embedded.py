"""The embedded model server, put together: gRPC and REST, health, metrics, and the watcher of the repository."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from serving.repository import ModelRepository
from serving.repository.server_files import MODELS_CONFIG
from serving.server.batching import BatchScheduler
from serving.server.health import Health
from serving.server.loaded_version import LoadedVersion
from serving.server.loader import load_for_service
from serving.server.metrics import Metrics
from serving.server.requests import Requests
from serving.server.served_versions import ServedVersions
from serving.server.services import SERVICE_NAMES, make_grpc_server
from serving.server.thread_pools import LIGHT_WORKERS
from serving.server.watcher import RepositoryWatcher
from serving.signature import STABLE
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.ports import join_address
from tidzam_platform.settings import BatchingSettings

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
        rest_port: port of the REST API, 0 takes a free one; without it there is none.
        batching: how windows of many requests are joined.
    """

    def __init__(
        self,
        repository: ModelRepository,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        poll_interval_s: float = 1.0,
        max_message_mb: int = 64,
        rest_port: int | None = None,
        batching: BatchingSettings | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._max_message_bytes = max_message_mb << 20
        self._changed = threading.Condition()
        self._light = ThreadPoolExecutor(LIGHT_WORKERS, thread_name_prefix="light-rpc")
        self._health = Health(SERVICE_NAMES, self._light)
        self.metrics = Metrics()
        self._repository = repository
        self._batching = batching or BatchingSettings()
        self._batches = BatchScheduler(self._batching, self.metrics)
        self._versions = ServedVersions(repository, self._load, self._on_change)
        base_path = repository.base_path
        self._watcher = RepositoryWatcher(
            self._versions, repository.serving_folder / MODELS_CONFIG, base_path, poll_interval_s
        )
        self.requests = Requests(
            self._versions, self._watcher.look, self.metrics, base_path, self._max_message_bytes
        )
        self._rest_port = rest_port
        self._rest: Any = None
        self._server: Any = None

    @property
    def generation(self) -> int | None:
        """The version that is ``stable``, or the newest in service; None while there is none."""
        return self._versions.labels.get(STABLE, max(self._versions.in_service, default=None))

    @property
    def address(self) -> str:
        """Where clients reach the server, once it is started."""
        return join_address(self._host, self._port)

    @property
    def rest_address(self) -> str | None:
        """Where REST clients reach the server, once it is started; None without REST."""
        return None if self._rest_port is None else join_address(self._host, self._rest_port)

    def start(self) -> int:
        """Listen, and begin to load the newest version; returns the port.

        Raises:
            ProcessError: the address cannot be listened on, e.g. because the port is in use.
            ModelRepositoryError: the files that servers read are out of date and cannot be written.
        """
        self._repository.write_server_files(self._batching)
        server = make_grpc_server(self.requests, self.metrics, self._health, self._light)
        try:
            self._port = server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise ProcessError(
                f"the model server cannot listen on {self.address}: the port is in use or the address is not "
                "of this machine; stop what uses it, or choose another with --port"
            ) from error
        if self._rest_port is not None:
            from serving.server.rest import RestServer, make_rest_app

            app = make_rest_app(self.requests, self.metrics)
            self._rest = RestServer(
                app, host=self._host, port=self._rest_port, max_body_bytes=self._max_message_bytes
            )
            try:
                self._rest_port = self._rest.start()
            except ProcessError:
                server.stop(None)  # it holds its port already
                raise
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
        if self._server is None:  # it never listened
            self._light.shutdown(wait=False)
            return self._batches.close(_JOIN_S)
        stopped = self._server.stop(_GRACE_S)
        rest_is_idle = self._rest is None or self._rest.stop(_GRACE_S)
        stopped.wait(_GRACE_S + _CANCEL_S)
        batches_are_idle = self._batches.close(_JOIN_S)  # who waits is told, and lets go of its version
        watcher_is_idle = self._watcher.stop(_JOIN_S)
        idle = watcher_is_idle and self._versions.close() and batches_are_idle and rest_is_idle
        self._light.shutdown(wait=False, cancel_futures=True)
        return idle

    def _load(self, version: int, folder: Path) -> LoadedVersion:
        try:
            self._repository.verify(version)
            loaded = load_for_service(version, folder)
        except BaseException:
            self.metrics.load(str(folder), succeeded=False)
            raise
        self.metrics.load(str(folder), succeeded=True)
        loaded.batch(self._batches)
        return loaded

    def _on_change(self, versions: list[int], labels: Mapping[str, int]) -> None:
        self.metrics.in_service(versions, labels)
        self._health.set_serving(bool(versions))
        with self._changed:
            self._changed.notify_all()
