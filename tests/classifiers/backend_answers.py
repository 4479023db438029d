"""What front ends, trunks, heads and frame-level models answer under the backend that is set.

``python -m tests.classifiers.backend_answers FOLDER`` reads the weights that lie in FOLDER and writes the answers to
``<backend>.npz`` there, so that two backends can be compared, each in a process of its own.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.classifiers.architectures.made import patches
from tidzam_platform.classifiers.architectures import ARCHITECTURES, WeightsFile, build_trunk
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.frame_level import MODELS, build_frame_level
from tidzam_platform.classifiers.front_end import PRESETS, FrontEnd, level_dbfs, log_mel, normalise
from tidzam_platform.classifiers.heads import HEADS

SMALL = FrontEnd(window_s=0.5, hop_s=0.25, bands=32)
HEAD_WIDTH = 12
HEAD_CLASSES = 4
FRAME_LEVEL_CLASSES = 5


def answers(folder: Path) -> dict[str, np.ndarray]:
    to_numpy = load_keras().ops.convert_to_numpy
    random = np.random.default_rng(0)
    made: dict[str, np.ndarray] = {}
    for name, front_end in PRESETS.items():
        audio = random.uniform(-0.5, 0.5, (2, front_end.window_frames)).astype(np.float32)
        log_mels = log_mel(audio, front_end)
        made[f"front_end.{name}"] = to_numpy(normalise(log_mels, front_end))
        made[f"pcen.{name}"] = to_numpy(normalise(log_mels, replace(front_end, normalisation="pcen")))
        made[f"level.{name}"] = to_numpy(level_dbfs(audio))
    for name in ARCHITECTURES:
        path = folder / f"trunk.{name}.npz"
        file = WeightsFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
        made[f"trunk.{name}"] = to_numpy(
            build_trunk(name, SMALL, weights=file)(patches(SMALL), training=False)
        )
    embeddings = random.standard_normal((9, HEAD_WIDTH)).astype(np.float32)
    for name, head in HEADS.items():
        with np.load(folder / f"head.{name}.npz", allow_pickle=False) as arrays:
            made[f"head.{name}"] = to_numpy(head.apply(dict(arrays), embeddings))
    frames = random.standard_normal((3, 10, 128)).astype(np.float32)
    mask = np.arange(10) < np.array([[1], [7], [10]])
    for name in MODELS:
        model = build_frame_level(name, FRAME_LEVEL_CLASSES)
        with np.load(folder / f"frame_level.{name}.npz", allow_pickle=False) as arrays:
            model.set_weights([arrays[str(index)] for index in range(len(arrays.files))])
        made[f"frame_level.{name}"] = model.predict({"frames": frames, "mask": mask}, verbose=0)
    return made


if __name__ == "__main__":
    target = Path(sys.argv[1])
    np.savez(target / f"{load_keras().backend.backend()}.npz", **answers(target))
