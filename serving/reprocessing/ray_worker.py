"""What runs in a worker process of a Ray cluster: see ``serving.reprocessing.ray_engine``. Needs no Ray itself.

Ray keeps a process for further tasks of the same kind: the generation is loaded once in each.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from serving.reprocessing.hearing import Progress, hear_and_store, load_generation
from serving.reprocessing.items import RecordingItem, WorkerTask
from serving.reprocessing.parts import parts_prefix
from tidzam_platform.errors import ReprocessingError, TidzamError

_LOOK_S: Final = 1.0
_HUNG: Final = 75  # exit code: EX_TEMPFAIL of sysexits.h


def load(task: str, stall_s: float) -> str:
    """Load the generation.

    Args:
        task: a ``WorkerTask`` as JSON.
        stall_s: this process ends if it gets no further for so long; so a hung one gives its place free.

    Returns:
        JSON: ``node``, the name of this machine, and ``failed``, why it can hear nothing, where that is so.
    """
    with _ended_when_hung(stall_s):
        return _answer(task, None, in_sight=False)


def hear(task: str, item: str, in_sight: bool, stall_s: float) -> str:
    """Hear a recording, and put its part, or a note of why there is none, into the store.

    Args:
        task: a ``WorkerTask`` as JSON.
        item: a ``RecordingItem`` as JSON.
        in_sight: whether the machine that asks sees the file: then this one must, too.
        stall_s: as in ``load``.

    Returns:
        As ``load``.
    """
    with _ended_when_hung(stall_s) as progress:
        return _answer(task, RecordingItem.from_dict(json.loads(item)), in_sight, progress)


def _answer(
    task_text: str, item: RecordingItem | None, in_sight: bool, progress: Progress = lambda _s: None
) -> str:
    node = socket.gethostname()
    try:
        task = _ready(task_text)
        if item is not None:
            if in_sight and not Path(item.path).exists():
                raise ReprocessingError(
                    f"{item.path} is not there, but is where reprocessing was called: "
                    "the archive must be mounted at the same place on every node"
                )
            hear_and_store(task, item, progress)
    except TidzamError as error:
        return json.dumps({"node": node, "failed": str(error)})
    return json.dumps({"node": node})


@lru_cache(maxsize=1)
def _ready(text: str) -> WorkerTask:
    """The task, once this process has loaded its generation and would hear as the machine that asks."""
    task = WorkerTask.from_json(text)
    load_generation(task)
    if parts_prefix(task.settings, task.generation) != task.prefix:
        raise ReprocessingError(
            f"the code of Tidzam, or generation {task.generation}, is another one than where reprocessing was "
            "called: install the same version on every node"
        )
    return task


@contextmanager
def _ended_when_hung(stall_s: float) -> Iterator[Progress]:
    """End this process when the function that is yielded was not called for ``stall_s``."""
    heard_of_s = time.monotonic()
    over = threading.Event()

    def tell(_seconds: float) -> None:
        nonlocal heard_of_s
        heard_of_s = time.monotonic()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            if time.monotonic() - heard_of_s > stall_s:
                sys.stderr.write(f"got no further for {stall_s:g} s; this worker ends\n")
                sys.stderr.flush()
                os._exit(_HUNG)

    watcher = threading.Thread(target=watch, name="watch", daemon=True)
    watcher.start()
    try:
        yield tell
    finally:
        over.set()
        watcher.join()
