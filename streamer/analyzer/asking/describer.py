"""Which generation is in service: asked for again and again, remembered for a start without a server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from serving.client.retries import RetryPolicy
from serving.signature import ModelDescription
from streamer.analyzer.asking.generations import Generations
from tidzam_platform.errors import ModelRepositoryError, TidzamError
from tidzam_platform.files import write_whole

INTERVAL_S: Final = 2.0
_LISTEN_S: Final = 1.0  # for a server that comes back, at a time
_BACK_OFF: Final = RetryPolicy(first_delay_s=0.1, longest_delay_s=2.0)
_LOG = logging.getLogger(__name__)


class DescribedModel(Protocol):
    """What is asked: ``serving.client.ModelClient``, or what stands for it."""

    def describe(self, version: int | None = None) -> ModelDescription:
        """What a version says of itself, by default the one in service."""
        ...

    def wait_until_available(self, version: int | None = None, timeout_s: float = ...) -> int:
        """Wait until a version answers, and return it."""
        ...


class Describer:
    """Tells of a new generation, and of a server that is back, in a thread. Started and stopped once.

    Args:
        client_of: the client of the model server; called by the thread, each time.
        on_description: told what the generation in service says of itself, each time that changes; must not raise.
        generations: where it is kept.
        on_back: called when the server answers after it did not.
        remembered: file that keeps the last description, so that windows can be cut, and wait in the spool, although no
            server answers when we start.
        interval_s: from one question to the next, s.
    """

    def __init__(
        self,
        client_of: Callable[[], DescribedModel],
        on_description: Callable[[ModelDescription], None],
        generations: Generations,
        *,
        on_back: Callable[[], None] = lambda: None,
        remembered: Path | None = None,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._client_of, self._on_description, self._on_back = client_of, on_description, on_back
        self._generations, self._remembered, self._interval_s = generations, remembered, interval_s
        self._stop = threading.Event()
        self._told: ModelDescription | None = None
        self._problem = "the model server was not asked yet"
        self._thread = threading.Thread(target=self._run, name="tidzam-describer", daemon=True)

    def start(self) -> None:
        """Tell what is remembered, and begin to ask."""
        if (description := self._recalled()) is not None:
            self._tell(description)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End; returns whether it ended in time. Closing the client first ends a question that is under way."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def description(self) -> ModelDescription | None:
        """The last that was told."""
        return self._told

    def status(self) -> dict[str, Any]:
        """The generation that was told last, and why the server does not answer; empty if it does."""
        told = self._told
        return {"generation": None if told is None else told.generation, "problem": self._problem}

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                client = self._client_of()
                description = client.describe()
            except TidzamError as error:
                failures += 1
                self._problem = str(error)
                if not self._is_available():
                    self._stop.wait(_BACK_OFF.delay_s(failures))
                elif failures > 1:  # it serves, and yet says nothing of itself
                    self._stop.wait(_BACK_OFF.delay_s(failures - 1))
                continue
            self._problem = ""
            if description != self._told:
                self._tell(description)
                self._remember(description)
            if failures:
                failures = 0
                self._on_back()
            self._stop.wait(self._interval_s)

    def _is_available(self) -> bool:
        """Listen for a while whether the server says that it serves, which closes the client's breakers."""
        try:
            self._client_of().wait_until_available(timeout_s=_LISTEN_S)
        except TidzamError:
            return False
        return True

    def _tell(self, description: ModelDescription) -> None:
        self._generations.put(description)
        self._told = description
        _LOG.info("generation %d is in service", description.generation)
        self._on_description(description)

    def _recalled(self) -> ModelDescription | None:
        if self._remembered is None:
            return None
        try:
            return ModelDescription.from_json(self._remembered.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ModelRepositoryError) as error:
            _LOG.warning("%s is passed over: %s", self._remembered, error)
            return None

    def _remember(self, description: ModelDescription) -> None:
        if self._remembered is None:
            return
        try:
            write_whole(self._remembered, description.to_json().encode())
        except OSError as error:  # it costs the windows of one start without a server
            _LOG.warning("%s cannot be written: %s", self._remembered, error.strerror or error)
