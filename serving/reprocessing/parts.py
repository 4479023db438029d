"""Part files: what was heard in one recording, until the days that it touches are merged.

``reprocessing/generation=<n>/key=<hash>/recording=<id>-<fingerprint>.parquet`` holds the detections of a recording;
the same with ``.json`` says why there are none. The key is a hash of all but the recording that they depend on, so
that what exists is never heard again and what would be different never found.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from serving.manifest import MANIFEST_PATH
from serving.repository import ModelRepository
from serving.reprocessing.items import RecordingItem
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.settings import Settings
from tidzam_platform.store import ObjectStore

_ROOT: Final = "reprocessing"
_KEY_LENGTH: Final = 16
_NAME: Final = re.compile(r"recording=([0-9]+)-[0-9a-f]+\.(?:parquet|json)")
# Beside the code of audio and classifiers: what turns a recording into detections.
_CODE: Final = (
    "serving/companion.py",
    "serving/reprocessing/hearing.py",
    "serving/reprocessing/continuous.py",
    "tidzam_platform/detections/detection.py",
    "tidzam_platform/detections/files.py",
    "tidzam_platform/detections/day_merging.py",
)


def parts_prefix(settings: Settings, generation: int) -> str:
    """Where the parts of a generation lie, as these settings and this code would make them.

    Raises:
        ModelRepositoryError: there is no such generation, or it is damaged.
    """
    repository = ModelRepository(settings.models_folder)
    repository.verify(generation)
    digest = hashlib.sha256((repository.path(generation) / MANIFEST_PATH).read_bytes())
    digest.update(json.dumps(settings.decision.model_dump(mode="json"), sort_keys=True).encode())
    digest.update(_hearing_code().encode())
    return f"{_of_generation(generation)}key={digest.hexdigest()[:_KEY_LENGTH]}/"


class Parts:
    """The parts of one run.

    Args:
        store: where they lie.
        prefix: as ``parts_prefix`` says.
    """

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def key(self, item: RecordingItem) -> str:
        """Of the item's part."""
        return f"{self._stem(item)}.parquet"

    def heard(self) -> frozenset[str]:
        """Keys of all parts that there are."""
        return frozenset(key for key in self._store.keys(self._prefix) if key.endswith(".parquet"))

    def put(self, item: RecordingItem, data: bytes) -> None:
        """Keep what was heard."""
        self._store.put_bytes(self.key(item), data)
        self._store.delete(f"{self._stem(item)}.json")

    def put_failure(self, item: RecordingItem, reason: str) -> None:
        """Keep why nothing could be heard; the next run tries again."""
        self._store.put_bytes(f"{self._stem(item)}.json", json.dumps({"reason": reason}).encode())

    def failure(self, item: RecordingItem) -> str | None:
        """Why nothing could be heard; None if nothing is said of it."""
        key = f"{self._stem(item)}.json"
        if not self._store.exists(key):
            return None
        return str(json.loads(self._store.get_bytes(key))["reason"])

    def _stem(self, item: RecordingItem) -> str:
        return f"{self._prefix}recording={item.recording_id}-{item.fingerprint}"


def remove_parts(store: ObjectStore, generation: int, recordings: frozenset[int]) -> None:
    """Remove all parts of these recordings and that generation, those of older code and settings too."""
    for key in list(store.keys(_of_generation(generation))):
        match = _NAME.fullmatch(key.rpartition("/")[2])
        if match and int(match[1]) in recordings:
            store.delete(key)


def _of_generation(generation: int) -> str:
    return f"{_ROOT}/generation={generation}/"


@lru_cache(maxsize=1)
def _hearing_code() -> str:
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256(code_version().encode())
    for name in _CODE:
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    return digest.hexdigest()
