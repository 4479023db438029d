"""What a worker does with one recording: hear it, and put what was heard into the store as a part file."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from serving.analysis import hear_file
from serving.companion import Companion
from serving.loading import read_description
from serving.local import LocalModel
from serving.repository import ModelRepository
from serving.reprocessing.continuous import hear_continuously
from serving.reprocessing.items import RecordingItem, WorkerTask
from serving.reprocessing.parts import Parts
from serving.signature import ModelDescription
from tidzam_platform import crash_points
from tidzam_platform.audio import AudioInfo, probe
from tidzam_platform.classifiers.events import Event
from tidzam_platform.detections.detection import detection_of, is_detection
from tidzam_platform.detections.files import to_parquet
from tidzam_platform.errors import AudioError, AudioNotFoundError
from tidzam_platform.home import open_store
from tidzam_platform.settings import DecisionSettings, Settings
from tidzam_platform.store import ObjectStore

_CHANGED = "it is not the file that was indexed: ./tidzam archive index its folder again"

Progress = Callable[[float], None]


def _no_progress(_seconds: float) -> None:
    pass


def hear_item(task: WorkerTask, item: RecordingItem, progress: Progress = _no_progress) -> bytes:
    """Hear a recording; returns its detections as a Parquet file, the same bytes for the same recording.

    Args:
        task: which generation listens; it is loaded once a process.
        item: the recording.
        progress: is told how many seconds of it are done.

    Raises:
        AudioError: it cannot be heard to its end, or is not the file that was indexed.
        ModelRepositoryError: the generation cannot be loaded.
    """
    path = Path(item.path)
    _require_unchanged(path, item)
    ears = _ears(task.settings.models_folder, task.generation)
    events = ears.hear(path, probe(path), task.settings.decision, progress)
    rate_hz = ears.description.rate_hz
    found = [
        detection_of(event, task.generation, item.source, item.start, rate_hz)
        for event in events
        if is_detection(event)
    ]
    _require_unchanged(path, item)
    return to_parquet(found)


def hear_and_store(task: WorkerTask, item: RecordingItem, progress: Progress = _no_progress) -> None:
    """Hear a recording and keep its part in the store, or a note of why it cannot be heard: what engines call.

    Raises:
        StoreError: the store failed.
        ModelRepositoryError: the generation cannot be loaded.
    """
    parts = Parts(_store(task.settings.model_dump_json()), task.prefix)
    try:
        data = hear_item(task, item, progress)
    except AudioError as error:
        parts.put_failure(item, str(error))
        return
    crash_points.reach("reprocessing.heard")
    parts.put(item, data)
    crash_points.reach("reprocessing.part")


def load_generation(task: WorkerTask) -> None:
    """Load the generation into this process, where it stays; ModelRepositoryError if that cannot be done."""
    _ears(task.settings.models_folder, task.generation)


class _Ears:
    """A generation in this process: its companion where it has one, which needs no TensorFlow, else all of it."""

    def __init__(self, folder: Path) -> None:
        described = read_description(folder) if Companion.exists(folder) else None
        self._companion: Companion | None = None
        self._model: LocalModel | None = None
        if described is None:  # exported by an earlier version
            self._model = LocalModel(folder)
            self.description: ModelDescription = self._model.describe()
        else:
            self.description = described
            # One thread: other processes hear other recordings meanwhile.
            self._companion = Companion(folder, len(described.classes), described.generation, threads=1)

    def hear(
        self, path: Path, info: AudioInfo, decision: DecisionSettings, progress: Progress
    ) -> list[Event]:
        if self._model is not None:
            return hear_file(path, self._model, decision, progress=progress).events
        assert self._companion is not None  # noqa: S101 - one of the two is there
        return list(hear_continuously(path, info, self._companion, self.description, decision, progress))


@lru_cache(maxsize=1)
def _store(settings: str) -> ObjectStore:
    """The store of these settings (JSON), kept open: a distant one takes as long to open as a recording to hear."""
    return open_store(Settings(**json.loads(settings)))


@lru_cache(maxsize=1)
def _ears(models_folder: Path, generation: int) -> _Ears:
    repository = ModelRepository(models_folder)
    repository.verify(generation)
    return _Ears(repository.path(generation))


def _require_unchanged(path: Path, item: RecordingItem) -> None:
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise AudioNotFoundError(f"{path}: the file is gone since it was indexed") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error
    if (found.st_size, found.st_mtime_ns) != (item.size_bytes, item.mtime_ns):
        raise AudioError(f"{path}: {_CHANGED}")
