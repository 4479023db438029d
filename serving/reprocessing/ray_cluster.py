"""A connection to a Ray cluster: made, lost with clear words, given back."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tidzam_platform.errors import ReprocessingError
from tidzam_platform.operations.ports import is_loopback
from tidzam_platform.operations.termination import sigterm_kept

_CONNECT_S: Final = 5.0
_CLIENT: Final = "ray://"
_NAMESPACE: Final = "tidzam"
# Ray takes 127.0.0.1 for the machine's public address unless this is 0, on Linux too: its name says too little.
LOOPBACK_VARIABLE: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ``ray``, connected to the cluster at ``address``.

    A process that is connected already, as a step of Dagster that runs in the cluster is, stays as it is.

    Args:
        address: ``host:port`` of the head where this machine is a node, or ``ray://host:port`` of its client server.

    Raises:
        ReprocessingError: Ray is not installed, or no cluster that we can use answers there.
    """
    ray = _import_ray(address)
    if ray.is_initialized():
        yield ray
        return
    _require_listener(address)
    # Ray puts a handler of its own in the place of ours.
    with sigterm_kept():
        _connect(ray, address)
    try:
        yield ray
    finally:
        ray.shutdown()


def places(ray: Any, cpus: float, gpus: float) -> int:
    """How many tasks that ask for so many processors and GPUs the nodes that live have room for."""
    count = 0
    for node in ray.nodes():
        if node["Alive"]:
            offers = node["Resources"]
            rooms = [int(offers.get("CPU", 0) / cpus)]
            if gpus:
                rooms.append(int(offers.get("GPU", 0) / gpus))
            count += min(rooms)
    return count


def _import_ray(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    if is_loopback(address.removeprefix(_CLIENT)):
        os.environ.setdefault(LOOPBACK_VARIABLE, "0")  # both are read when Ray is imported
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ReprocessingError(
            f"reprocessing.engine is ray, but {error.name} is not installed: call ./tidzam check --extra cluster, "
            "or set reprocessing.engine to local"
        ) from error
    return ray


def _require_listener(address: str) -> None:
    """Say at once that nothing is there: Ray itself takes a minute and many lines."""
    host, _, port = address.removeprefix(_CLIENT).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except OSError as error:
        raise ReprocessingError(
            f"no Ray cluster answers at {address} ({error.strerror or error}): start one (ray start --head; "
            "docs/cluster.md), set reprocessing.ray_address to where it is, or reprocessing.engine to local"
        ) from error


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(
            address,
            namespace=_NAMESPACE,
            configure_logging=False,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    # What Ray raises for another version of Ray or Python, a wrong token, a port of somebody else's, a cluster
    # without a node on this machine.
    except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
        ray.shutdown()
        reason = ([type(error).__name__, *str(error).strip().splitlines()])[-1]
        raise ReprocessingError(
            f"the Ray cluster at {address} cannot be used: {reason}; "
            "a machine that is no node of it asks by ray://<head>:10001 (docs/cluster.md)"
        ) from error
