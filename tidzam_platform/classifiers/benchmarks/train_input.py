"""Whether the input keeps training busy: the whole pipeline against the same model on tensors held in memory."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.backend import load_keras, load_tensorflow
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.network import build_network
from tidzam_platform.classifiers.training.examples import Examples
from tidzam_platform.classifiers.training.input import EpochInput
from tidzam_platform.classifiers.training.loop import compile_network, make_deterministic
from tidzam_platform.classifiers.training.memory import hold_freed_memory
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.settings import TrainingSettings

ROUNDS: Final = 5  # of each, by turns, so that a busy moment of the machine hits both
_CLASSES: Final = 14
_CLIPS_PER_CLASS: Final = 8
_CLIP_S: Final = 5.0


@dataclass(frozen=True)
class InputSpeed:
    """Windows per second of training, medians over the rounds, and their ratio."""

    pipeline_windows_per_s: float
    in_memory_windows_per_s: float
    ratio: float


def measure_train_input(settings: TrainingSettings, front_end: FrontEnd) -> InputSpeed:
    """Train epochs by turns from the pipeline (draw, crop, augment) and from batches held in memory."""
    tf = load_tensorflow()
    hold_freed_memory()
    make_deterministic(settings.seed)
    examples, spec = _noise_examples(front_end, settings.seed)
    source = EpochInput(examples, front_end, settings)
    network = build_network(spec, front_end, settings.architecture)
    compile_network(load_keras(), network, spec, settings, source.steps)
    held = [(tf.constant(patches), tf.constant(targets)) for patches, targets in source.batches(1)]
    patches, targets = (tf.stack([batch[part] for batch in held]) for part in (0, 1))
    in_memory = tf.data.Dataset.from_tensor_slices((patches, targets)).prefetch(1)
    speeds: dict[str, list[float]] = {"pipeline": [], "memory": []}
    network.model.fit(in_memory, shuffle=False, verbose=0)  # traces the graph
    for number in range(2, ROUNDS + 2):
        for name, batches in (("pipeline", source.batches(number)), ("memory", in_memory)):
            began = time.perf_counter()
            network.model.fit(batches, shuffle=False, verbose=0)
            speeds[name].append(source.steps * settings.batch_size / (time.perf_counter() - began))
    pipeline, memory = (statistics.median(speeds[name]) for name in ("pipeline", "memory"))
    ratios = [one / other for one, other in zip(speeds["pipeline"], speeds["memory"], strict=True)]
    return InputSpeed(pipeline, memory, statistics.median(ratios))


def _noise_examples(front_end: FrontEnd, seed: int) -> tuple[Examples, Any]:
    """Clips of noise: what they hold makes no difference to speed."""
    random = np.random.default_rng(seed)
    frames = front_end.stft_frames(round(_CLIP_S * front_end.rate_hz))
    clips = [
        ClipFeatures(
            sha256=f"{name}{number}",
            log_mel=random.normal(-8, 2, (frames, front_end.bands)).astype(np.float32),
            offsets=(0,),
            class_paths=(name,),
            group=f"{name}{number}",
            side="train",
        )
        for name in [*(f"animal-kind{kind}" for kind in range(_CLASSES - 1)), "noise"]
        for number in range(_CLIPS_PER_CLASS)
    ]
    spec = by_parent({clip.class_paths[0] for clip in clips})
    return Examples.of(clips, spec, front_end, ("noise",)), spec
