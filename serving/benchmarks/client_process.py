"""A process of its own for clients: their work is no part of the server's, nor do they share a lock with anybody."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final, Self

from tidzam_platform.errors import ProcessError

_END_S: Final = 10.0

Stopping = Callable[[], bool]
Task = Callable[..., Any]


class ClientProcess:
    """Runs tasks one after another, ``task(stopping, *arguments)``; ``stopping()`` says whether to come to an end.

    A task is a function at the level of its module. The process ends with the context, and when we die.
    """

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # gRPC and TensorFlow do not survive a fork
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_work, args=(theirs,), name="clients", daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._ours.close()
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def run(self, task: Task, *arguments: Any, timeout_s: float) -> Any:
        """What ``task`` returns; ProcessError if it fails or is not done after ``timeout_s``."""
        self.begin(task, *arguments)
        return self.finish(timeout_s)

    def begin(self, task: Task, *arguments: Any) -> None:
        """Start ``task`` and go on; ``finish`` gives its answer."""
        self._ours.send((task, arguments))

    def stop(self) -> None:
        """Ask the task to come to an end."""
        self._ours.send(None)

    def finish(self, timeout_s: float) -> Any:
        """Wait for what ``begin`` started; ProcessError as ``run``."""
        if not self._ours.poll(timeout_s):
            raise ProcessError(f"the clients' process did not finish within {timeout_s:.0f} s")
        try:
            answer, error = self._ours.recv()
        except EOFError as end:
            raise ProcessError(f"the clients' process died with status {self._process.exitcode}") from end
        if error:
            raise ProcessError(f"the clients' process failed: {error}")
        return answer


def _work(connection: Connection[Any, Any]) -> None:
    with contextlib.suppress(EOFError):  # whoever started us is done, or gone
        while True:
            message = connection.recv()
            if message is None:
                continue  # the task that it meant ended by itself
            task, arguments = message
            try:
                answer = task(connection.poll, *arguments), ""
            except Exception as error:  # noqa: BLE001 - told to whoever asked
                answer = None, f"{type(error).__name__}: {error}"
            connection.send(answer)
