"""The figure that the demo's classifier must beat: made once for a dataset version and this code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tidzam_platform.classifiers.baseline import nearest_centroid_macro_f1
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.classifiers.features import decode_clip
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.home import Home
from tidzam_platform.look_ahead import map_ahead

_DECODERS: Final = 2
_VERSION_LENGTH: Final = 12  # hexadecimal digits


def baseline_macro_f1(home: Home, dataset_version: str, say: Callable[[str], None]) -> float:
    """Macro-F1 in [0, 1] of a nearest centroid on MFCC statistics, trained on all but the test side.

    Kept in the store; ``say`` is told where it has to be computed.

    Raises:
        DatasetError: no such version.
        TrainingError: one of the sides is empty.
    """
    key = f"baselines/{dataset_version}/{_version()}.json"
    if not home.store.exists(key):
        say("comparing it with a baseline")
        figure = _compute(home, dataset_version)
        home.store.put_bytes(key, json.dumps({"macro_f1": figure}).encode())
    macro_f1: float = json.loads(home.store.get_bytes(key))["macro_f1"]
    return macro_f1


def _version() -> str:
    """Hash of the code that the figure depends on."""
    code = code_version().encode() + Path(__file__).read_bytes()
    return hashlib.sha256(code).hexdigest()[:_VERSION_LENGTH]


def _compute(home: Home, dataset_version: str) -> float:
    manifest = load_manifest(home.catalog, home.store, dataset_version)
    front_end = FrontEnd()
    sides: dict[str, list[Any]] = {"train": [], "validation": [], "test": []}
    decoded = map_ahead(lambda row: decode_clip(home.store, row, front_end), manifest.rows, threads=_DECODERS)
    with closing(decoded):
        for row, audio in zip(manifest.rows, decoded, strict=True):
            sides[row.side].append((audio, row.class_path))
    return nearest_centroid_macro_f1(sides["train"] + sides["validation"], sides["test"], front_end.rate_hz)
