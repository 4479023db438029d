"""A Ray cluster of several nodes on this machine: free ports of loopback, one processor a node, no dashboard."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.support.parts import require_environment
from tests.support.waiting import wait_for
from tidzam_platform.audio.children import spawn
from tidzam_platform.operations.ports import free_port, is_free
from tidzam_platform.operations.process_group import end_group
from tidzam_platform.operations.server_environment import CLUSTER
from tidzam_platform.settings import PROJECT_ROOT

START_S: Final = 90.0
_STOP_S: Final = 10.0
_MEMORY_BYTES: Final = 100_000_000  # of the object store, which we hardly use
_NODE: Final = Path(__file__).with_name("ray_node.py")


def require_ray() -> Path:
    """The Python that has Ray; skips the test where it is not made, or fails it: see ``tests.support.parts``."""
    return require_environment(CLUSTER, "Ray (./tidzam test --long)")


class RayNode:
    """A node; ``kill`` ends it as a power cut does."""

    def __init__(self, arguments: list[str], folder: Path, variables: Mapping[str, str]) -> None:
        self.log = folder / f"node-{len(list(folder.glob('node-*.log')))}.log"
        with self.log.open("wb") as log:
            self._process = spawn(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                environment=variables,
                folder=str(PROJECT_ROOT),
            )

    @property
    def is_up(self) -> bool:
        """Whether it says so; fails the test where it ended instead."""
        text = self.log.read_text()
        if self._process.poll() is not None:
            pytest.fail(f"a node of Ray ended with {self._process.returncode}:\n{text}")
        return "Ray runtime started" in text

    def processes(self) -> list[psutil.Process]:
        """All that live of it: raylet, agents, workers, what workers started."""
        with suppress(psutil.NoSuchProcess):
            return [*psutil.Process(self._process.pid).children(recursive=True)]
        return []

    def is_hearing(self) -> bool:
        """Whether a worker of it hears a recording now: Ray gives workers the name of the task."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                if "ray::hear" in " ".join(process.cmdline()):
                    return True
        return False

    def kill(self) -> None:
        """End all of it at once."""
        found = self.processes()
        with suppress(ProcessLookupError):
            self._process.kill()
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(_STOP_S)
        psutil.wait_procs(found, _STOP_S)

    def stop(self) -> None:
        """End it, politely first."""
        found = self.processes()
        if self._process.poll() is None:
            end_group(self._process, _STOP_S)
        _, left = psutil.wait_procs(found, _STOP_S)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()


class RayCluster:
    """See ``running_ray_cluster``.

    Attributes:
        address: of the head.
        python: that has Ray; the command line is to be run by it.
        nodes: the first one is the head.
    """

    def __init__(self, python: Path, folder: Path, variables: Mapping[str, str]) -> None:
        self.python, self._folder = python, folder
        self.address = f"127.0.0.1:{free_port()}"
        self.nodes: list[RayNode] = []
        self._variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "TIDZAM_"))},
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            **variables,
        }

    def start(self, count: int) -> None:
        """Start ``count`` nodes, one after the other."""
        port = self.address.rpartition(":")[2]
        # Its client server takes 10001 otherwise, whoever else wants that.
        head = [f"--port={port}", f"--ray-client-server-port={free_port()}", f"--temp-dir={self._folder}"]
        for index in range(count):
            joins = (
                ["--head", *head, "--include-dashboard=false"]
                if index == 0
                else [f"--address={self.address}"]
            )
            arguments = [
                *[str(self.python), str(_NODE), "start", *joins, "--block", "--disable-usage-stats"],
                *["--node-ip-address=127.0.0.1", "--num-cpus=1", "--num-gpus=0"],
                f"--object-store-memory={_MEMORY_BYTES}",
            ]
            self.nodes.append(node := RayNode(arguments, self._folder, self._variables))
            wait_for(lambda node=node: node.is_up, "a node of Ray to start", START_S)

    def stop(self) -> None:
        """End all nodes, the head last."""
        for node in reversed(self.nodes):
            node.stop()
        wait_for(lambda: is_free("127.0.0.1", int(self.address.rpartition(":")[2])), "the head to end")


@contextmanager
def running_ray_cluster(count: int, variables: Mapping[str, str] | None = None) -> Iterator[RayCluster]:
    """A cluster of ``count`` nodes with ``variables`` in their environment."""
    python = require_ray()
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets in it need short names
    cluster = RayCluster(python, folder, variables or {})
    try:
        cluster.start(count)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
