"""The LiteRT companion of a SavedModel: the same answers, several times faster on a CPU, for batch work.

It takes log-mel patches instead of audio: features are computed once on the continuous signal, outside the graph,
and windows are cut from them. Servers and GPUs use the SavedModel; the two are compared when a generation is exported.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.prediction import Prediction
from serving.signature import EMBEDDING_OUTPUT, SCORES_OUTPUT
from tidzam_platform.audio import Window, rms_dbfs
from tidzam_platform.classifiers.backend import load_tensorflow, silent_stderr
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.front_end.continuous import log_mel_of_signal
from tidzam_platform.errors import ModelRepositoryError

GRAPH_PATH: Final = Path("assets.extra") / "hearing.tflite"
FRONT_END_PATH: Final = Path("assets.extra") / "front_end.json"
BATCH: Final = (
    16  # fixed in the graph; smaller ones are filled up. From 32 on what is between layers leaves the cache
)

FloatArray = NDArray[np.float32]


def write_companion(hearing: Any, front_end: FrontEnd, folder: Path) -> None:
    """Convert ``hearing`` and write it beside a SavedModel.

    Args:
        hearing: Keras model from log-mel patches ``[batch, frames, bands]`` to ``scores`` and ``embedding``.
        front_end: what the patches are made by.
        folder: of the SavedModel, before its manifest is written.
    """
    tf = load_tensorflow()
    shape = [BATCH, front_end.patch_frames, front_end.bands]

    def judge(patches: Any) -> Any:
        answers = hearing(patches, training=False)
        # One tensor: LiteRT gives its outputs no names that last.
        return tf.concat([answers[SCORES_OUTPUT], answers[EMBEDDING_OUTPUT]], axis=1)

    traced = tf.function(judge).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    module = tf.Module()
    module.variables_of_model = list(traced.graph.variables)
    with _quiet(), tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(module, saved, signatures=traced)
        graph = tf.lite.TFLiteConverter.from_saved_model(saved).convert()
    (folder / GRAPH_PATH).parent.mkdir(exist_ok=True)
    (folder / GRAPH_PATH).write_bytes(graph)
    (folder / FRONT_END_PATH).write_text(json.dumps(front_end.to_dict()), encoding="utf-8")


class Companion:
    """A companion in memory; for one thread at a time.

    Args:
        folder: of a model version whose manifest was checked.
        classes: how many the model has.
        generation: its number.
        threads: that its graph computes with; None: one a processor.

    Raises:
        ModelRepositoryError: the graph cannot be loaded.
    """

    def __init__(self, folder: Path, classes: int, generation: int, *, threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.front_end = FrontEnd(**json.loads((folder / FRONT_END_PATH).read_text(encoding="utf-8")))
        self._classes, self._generation = classes, generation
        try:
            with silent_stderr():  # its C++ tells which of its ways to compute it takes
                self._graph = Interpreter(
                    model_content=(folder / GRAPH_PATH).read_bytes(),
                    num_threads=threads or len(os.sched_getaffinity(0)),
                )
                self._graph.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelRepositoryError(f"{folder / GRAPH_PATH} cannot be loaded: {error}") from error
        asked = self._graph.get_input_details()[0]
        self._input = asked["index"]
        self.batch = int(asked["shape"][0])  # generations that were exported earlier have another
        self._output = self._graph.get_output_details()[0]["index"]

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether a version has one."""
        return (folder / GRAPH_PATH).exists()

    def predict_patches(self, patches: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scores ``[windows, classes]`` and embeddings ``[windows, d]`` of patches ``[windows, frames, bands]``."""
        firsts = range(0, len(patches), self.batch)
        answers = [self._run(patches[first : first + self.batch]) for first in firsts]
        whole = np.concatenate(answers) if answers else self._run(patches)
        return whole[:, : self._classes], whole[:, self._classes :]

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        """Judge windows, all channels of each in turn; features of windows that overlap are computed once."""
        patches = np.stack(list(self._patches(windows)))
        audio = np.concatenate([window.samples for window in windows])
        scores, embedding = self.predict_patches(patches)
        return Prediction(scores, embedding, rms_dbfs(audio).astype(np.float32), self._generation)

    def predict_signal(self, signal: FloatArray, starts: NDArray[np.int64]) -> FloatArray:
        """Scores of the windows of a mono signal that begin at ``starts``, multiples of the STFT's hop."""
        frames = log_mel_of_signal(signal, self.front_end)
        views = np.lib.stride_tricks.sliding_window_view(frames, self.front_end.patch_frames, axis=0)
        return self.predict_patches(views[starts // self.front_end.stft_hop_frames].transpose(0, 2, 1))[0]

    def _run(self, patches: FloatArray) -> FloatArray:
        full = patches
        if len(patches) < self.batch:
            full = np.zeros((self.batch, self.front_end.patch_frames, self.front_end.bands), np.float32)
            full[: len(patches)] = patches
        self._graph.set_tensor(self._input, full)
        self._graph.invoke()
        answers: FloatArray = self._graph.get_tensor(self._output)[: len(patches)]
        return answers

    def _patches(self, windows: Sequence[Window]) -> Iterator[FloatArray]:
        """Patches of windows, each window's channels in turn."""
        hop, length = self.front_end.stft_hop_frames, self.front_end.patch_frames
        for stretch in _stretches(windows, hop):
            first = stretch[0].start_frame
            channels = [log_mel_of_signal(signal, self.front_end) for signal in _joined(stretch)]
            for window in stretch:
                offset = (window.start_frame - first) // hop
                for frames in channels:
                    yield frames[offset : offset + length]


def _stretches(windows: Sequence[Window], hop: int) -> Iterator[list[Window]]:
    """Windows that overlap or touch, and lie on one STFT grid, together."""
    stretch: list[Window] = []
    for window in windows:
        if stretch:
            last = stretch[-1]
            step = window.start_frame - last.start_frame
            if step % hop or not 0 < step <= last.samples.shape[1]:
                yield stretch
                stretch = []
        stretch.append(window)
    if stretch:
        yield stretch


def _joined(stretch: Sequence[Window]) -> FloatArray:
    """The audio that a stretch covers, float32 ``[channels, samples]``."""
    parts = [stretch[0].samples]
    for before, window in pairwise(stretch):
        parts.append(window.samples[:, before.start_frame + before.samples.shape[1] - window.start_frame :])
    return np.concatenate(parts, axis=1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The converter advises its successor in a warning; what it says otherwise is for its developers."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
