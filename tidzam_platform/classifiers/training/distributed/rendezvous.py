"""All workers wait for each other here before TensorFlow connects them.

TensorFlow's own waiting for a worker that does not come cannot be interrupted, and ended in a crash as often as in an
error. Here the leading worker listens at its address for a moment; each other connects, says a line of JSON
(``worker``, ``workers``, ``devices`` and ``runs``, the versions that it runs), and goes on when the answer ``go``
comes.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from tidzam_platform.errors import TrainingError

_RETRY_S: Final = 0.2
_HELLO_S: Final = 5.0
_LINE_BYTES: Final = 65_536
_GO: Final = "go"
_PACKAGES: Final = ("tensorflow", "keras", "numpy")


def wait_for_all(workers: Sequence[str], index: int, devices: int, deadline_s: float) -> None:
    """Return when all ``workers`` (host:port) are here, of which this process is ``index``.

    Raises:
        TrainingError: not all came within the deadline, one was given other workers or another number of devices or
            runs other versions, or the leading one cannot listen at its address.
    """
    hello = {"worker": index, "workers": list(workers), "devices": devices, "runs": _versions()}
    end_s = time.monotonic() + deadline_s
    here = [False] * len(workers)
    try:
        if index == 0:
            _lead(hello, here, end_s)
        else:
            _follow(hello, end_s)
    except TimeoutError as late:
        missing = (
            [workers[0]] if index else [one for one, came in zip(workers, here, strict=True) if not came]
        )
        raise TrainingError(
            f"not all workers met within {deadline_s:g} s, missing: {', '.join(missing)}; start each with the same "
            "training.workers and its own training.worker, and let them reach each other"
        ) from late


def _versions() -> str:
    return ", ".join(f"{package} {version(package)}" for package in _PACKAGES)


def _lead(hello: dict[str, Any], here: list[bool], end_s: float) -> None:
    own = hello["workers"][0]
    port = int(own.rpartition(":")[2])
    here[0] = True
    with contextlib.ExitStack() as open_sockets:
        try:
            server = open_sockets.enter_context(socket.create_server(("", port)))
        except OSError as error:
            raise TrainingError(
                f"this worker cannot listen at {own} ({error.strerror}): end what uses the port, or choose another "
                "in training.workers"
            ) from error
        found: dict[int, socket.socket] = {}
        while not all(here):
            server.settimeout(_left_s(end_s))
            connection = open_sockets.enter_context(server.accept()[0])
            theirs = _line(connection, min(_HELLO_S, _left_s(end_s)))
            if not isinstance(number := theirs.get("worker"), int) or not 0 < number < len(here):
                connection.close()  # none of ours
                continue
            if refusal := _difference(hello, theirs):
                _say(connection, {"answer": refusal})
                raise TrainingError(refusal)
            found[number] = connection
            for other, known in found.items():
                here[other] = _is_open(known)  # one that was killed meanwhile must come again
        for connection in found.values():
            _say(connection, {"answer": _GO})


def _difference(hello: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Why this worker and another cannot train together; empty if they can."""
    for key, what in (
        ("workers", "was given training.workers"),
        ("devices", "was given training.devices"),
        ("runs", "runs"),
    ):
        if theirs.get(key) != hello[key]:
            return (
                f"worker {theirs['worker']} {what} {theirs.get(key)}, worker 0 {what} {hello[key]}: "
                "they must be the same on all workers"
            )
    return ""


def _follow(hello: dict[str, Any], end_s: float) -> None:
    host, _, port = hello["workers"][0].rpartition(":")
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host.strip("[]"), int(port)), _HELLO_S) as one,
        ):
            _say(one, hello)
            answer = _line(one, _left_s(end_s)).get("answer")
            if answer == _GO:
                return
            if isinstance(answer, str):
                raise TrainingError(answer)
        time.sleep(min(_RETRY_S, _left_s(end_s)))


def _left_s(end_s: float) -> float:
    """Seconds until ``end_s``; TimeoutError if there are none."""
    left_s = end_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _say(connection: socket.socket, what: dict[str, Any]) -> None:
    connection.sendall(json.dumps(what).encode() + b"\n")


def _line(connection: socket.socket, timeout_s: float) -> dict[str, Any]:
    """The line of JSON that comes; empty if what comes is none, or nothing comes in time."""
    connection.settimeout(timeout_s)
    received = b""
    with contextlib.suppress(OSError, ValueError):
        while not received.endswith(b"\n") and len(received) < _LINE_BYTES:
            if not (part := connection.recv(_LINE_BYTES)):
                break
            received += part
        what = json.loads(received)
        return what if isinstance(what, dict) else {}
    return {}


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        connection.setblocking(True)
