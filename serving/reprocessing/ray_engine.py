"""Recordings heard by a Ray cluster: each is a task, what is heard goes into the store that all nodes share.

A task runs on whichever node has the processors and GPUs that it asks for. One whose worker or node died is asked for
anew, three times in all. Tasks and answers are JSON; code is imported on the nodes, never sent.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from serving.reprocessing.engines import ATTEMPTS, given_up
from serving.reprocessing.items import RecordingItem, WorkerTask
from serving.reprocessing.parts import Parts
from serving.reprocessing.ray_cluster import connected, places
from serving.reprocessing.ray_worker import hear, load
from tidzam_platform.errors import ReprocessingError
from tidzam_platform.home import open_store
from tidzam_platform.settings import ReprocessingSettings, Settings

log = logging.getLogger("tidzam.reprocessing")

_LOOK_S: Final = 1.0
_COUNT_EVERY_S: Final = 10.0  # nodes come and go
_ASKED_A_PLACE: Final = 2  # so that no worker waits for its next recording
_MOST_ASKED: Final = 2000
_START_S: Final = 120.0  # a worker process, TensorFlow and a generation from a slow disk
_ARRIVE_S: Final = (
    60.0  # what another machine wrote is seen; NFS keeps its view of a folder for up to a minute
)

Done = Callable[[RecordingItem], None]


class RayEngine:
    """A Ray cluster; see ``serving.reprocessing.engines``.

    Every node sees models, store and archive at the same place as the machine that asks.

    Args:
        settings: ``reprocessing.ray_address`` says where it is, ``ray_cpus`` and ``ray_gpus`` what a recording
            asks for.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings.reprocessing

    def run(self, items: Sequence[RecordingItem], task: WorkerTask, on_done: Done) -> None:
        """Hear all items, the longest first, so that no node is left alone with one in the end."""
        if not items:
            return
        with connected(self.settings.ray_address) as ray:
            run = _Run(ray, task, on_done, self.settings)
            try:
                run.require_generation()
                run.hear(sorted(items, key=lambda item: (-item.seconds, item.recording_id)))
            finally:
                run.cancel()


class _Run:
    def __init__(self, ray: Any, task: WorkerTask, on_done: Done, settings: ReprocessingSettings) -> None:
        self._ray, self._task, self._on_done, self._settings = ray, task, on_done, settings
        # The catalog is nobody's business there, and its URL may hold a password.
        self._text = replace(task, settings=task.settings.model_copy(update={"database_url": ""})).to_json()
        self._parts = Parts(open_store(task.settings), task.prefix)
        self._waiting: deque[RecordingItem] = deque()
        self._asked: dict[Any, RecordingItem | None] = {}  # None: to load the generation
        self._attempts: Counter[int] = Counter()
        self._trusted: set[str] = set()  # nodes whose parts have been seen in the store
        self._places, self._counted_s = 0, -_COUNT_EVERY_S
        self._heard_of_s = time.monotonic()
        asks = {
            "num_cpus": settings.ray_cpus,
            "num_gpus": settings.ray_gpus,
            "max_retries": 0,  # we count, and may have heard it meanwhile
            "max_calls": 0,  # else a worker that has a GPU ends after each recording, and the next loads anew
        }
        self._load, self._hear = ray.remote(**asks)(load), ray.remote(**asks)(hear)

    def require_generation(self) -> None:
        """Let one worker load the generation: where none can, no recording is to blame."""
        for attempt in range(1, ATTEMPTS + 1):
            self._asked[self._load.remote(self._text, self._settings.stall_s)] = None
            while not (ready := self._ready()):
                self._require_life()
            died = self._take(ready)
            if died is None:
                return
            if attempt == ATTEMPTS:
                raise ReprocessingError(
                    f"no worker of the Ray cluster at {self._settings.ray_address} can load generation "
                    f"{self._task.generation}: {died}"
                )

    def hear(self, items: Sequence[RecordingItem]) -> None:
        """Ask for all, some at a time, until each has its part or its note."""
        self._waiting.extend(items)
        while self._waiting or self._asked:
            self._ask()
            ready = self._ready()
            if ready is None:
                self._require_life()
                continue
            item = self._asked[ready]
            assert item is not None  # noqa: S101 - the generation is loaded
            died = self._take(ready)
            if died is None:
                self._on_done(item)
            else:
                self._again(item, died)

    def cancel(self) -> None:
        """Let nobody work on."""
        for reference in self._asked:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)
        self._asked.clear()

    def _ask(self) -> None:
        if time.monotonic() - self._counted_s >= _COUNT_EVERY_S:
            self._count_places()
        # At least one: an autoscaler brings a node only when something waits for it.
        most = min(max(1, _ASKED_A_PLACE * self._places), _MOST_ASKED)
        while self._waiting and len(self._asked) < most:
            item = self._waiting.popleft()
            reference = self._hear.remote(
                self._text, json.dumps(item.to_dict()), Path(item.path).exists(), self._settings.stall_s
            )
            self._asked[reference] = item

    def _count_places(self) -> None:
        self._places = places(self._ray, self._settings.ray_cpus, self._settings.ray_gpus)
        if not self._places and not self._counted_s > 0:
            log.warning("no node of the Ray cluster has %s; waiting for one", self._wish())
        self._counted_s = time.monotonic()

    def _ready(self) -> Any | None:
        ready, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=_LOOK_S)
        return ready[0] if ready else None

    def _take(self, reference: Any) -> str | None:
        """What a worker answers; returns how it died if it did, else None.

        Raises:
            ReprocessingError: it can hear nothing at all, or what it heard is not in our store.
        """
        item = self._asked.pop(reference)
        self._heard_of_s = time.monotonic()
        try:
            answer = json.loads(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            return _last_line(error)
        node = str(answer["node"])
        if "failed" in answer:
            raise ReprocessingError(f"node {node} of the Ray cluster: {answer['failed']}")
        if item is not None and node not in self._trusted:
            self._require_arrival(item, node)
            self._trusted.add(node)
        return None

    def _again(self, item: RecordingItem, died: str) -> None:
        self._attempts[item.recording_id] += 1
        if self._attempts[item.recording_id] < ATTEMPTS:
            self._waiting.appendleft(item)
            return
        self._parts.put_failure(item, given_up(item, died))
        self._on_done(item)

    def _require_arrival(self, item: RecordingItem, node: str) -> None:
        """The first part of a node must be in our store: else the node has one of its own."""
        end_s = time.monotonic() + _ARRIVE_S
        while self._parts.key(item) not in self._parts.heard() and self._parts.failure(item) is None:
            if time.monotonic() > end_s:
                raise ReprocessingError(
                    f"node {node} of the Ray cluster has heard {item.path}, but its part is not in the store: all "
                    "nodes must have the same store (TIDZAM_STORE=s3://..., or the home on a shared disk)"
                )
            time.sleep(_LOOK_S)
        self._heard_of_s = time.monotonic()

    def _require_life(self) -> None:
        """A worker that hangs ends itself, so somebody answers in time, or nobody works for us."""
        longest_s = max((item.seconds for item in self._asked.values() if item is not None), default=0.0)
        limit_s = _START_S + self._settings.stall_s + longest_s
        if time.monotonic() - self._heard_of_s > limit_s:
            self._count_places()
            raise ReprocessingError(
                f"the Ray cluster at {self._settings.ray_address} has heard nothing for {limit_s:.0f} s; it has room "
                f"for {self._places} tasks with {self._wish()}. It may be busy or too small; what was heard is kept, "
                "and the same call goes on"
            )

    def _wish(self) -> str:
        gpus = f" and {self._settings.ray_gpus:g} GPUs" if self._settings.ray_gpus else ""
        return f"{self._settings.ray_cpus:g} processors{gpus}"


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + lines[-1].strip() if lines else ''}"
