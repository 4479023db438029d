"""Inference, features included: the default as batch work runs it, the CNN of the design page, a user's loop."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from serving.companion import Companion, write_companion
from tidzam_platform.classifiers.backend import load_keras, load_tensorflow
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.network import build_network
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.classifiers.tree.spec import TreeSpec

ROUNDS: Final = 5  # by turns; the median counts
_SIGNAL_S: Final = 120.0
_LOOP_WINDOWS: Final = 24  # of the loop, which is slow
_BATCH: Final = 64
_LEVEL: Final = 0.05

FloatArray = npt.NDArray[np.float32]
Run = Callable[[], int]


def measure_inference(front_end: FrontEnd, architecture: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """Windows per second and core of three ways to hear the same noise, at the front end's window and hop.

    ``default``: the companion, features on the continuous signal, as ``analyze --local`` and the archive run it.
    ``cnn``: the 240,000-weight CNN with its front end in the graph, as a SavedModel runs in TensorFlow, batches of 64.
    ``engines`` also runs the default's SavedModel graph, front end included: in TensorFlow, and compiled by XLA.
    ``loop``: librosa's features window by window and ``model.predict`` of the same CNN, as one writes it first.
    Speed does not depend on what was learnt: the networks are fresh.

    Returns:
        for each ``windows_per_s_per_core`` (of processor time, all threads), and ``ratio_to_cnn`` and
        ``ratio_to_loop`` of the default.
    """
    cnn = _untrained(flat(classes), front_end, "reference_cnn")
    random = np.random.default_rng(0)
    signal = (random.standard_normal(round(_SIGNAL_S * front_end.rate_hz)) * _LEVEL).astype(np.float32)
    starts = np.arange(0, len(signal) - front_end.window_frames + 1, front_end.hop_frames)
    windows = np.lib.stride_tricks.sliding_window_view(signal, front_end.window_frames)[starts]
    with tempfile.TemporaryDirectory() as folder:
        tree = _untrained(by_parent(classes), front_end, architecture)
        write_companion(tree.hearing, front_end, Path(folder))
        companion = Companion(Path(folder), len(tree.spec.nodes), 1)
    runs: dict[str, Run] = {
        "default": lambda: len(companion.predict_signal(signal, starts)),
        "cnn": _in_graph(cnn, windows),
        "loop": _as_a_loop(cnn, windows[:_LOOP_WINDOWS], front_end),
        "tensorflow": _in_graph(tree, windows),
        "xla": _in_graph(tree, windows[: len(windows) // _BATCH * _BATCH], compiled=True),
    }
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # traces graphs, fills caches
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.process_time()
            heard = run()
            speeds[name].append(heard / (time.process_time() - began))
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    return {
        **{name: {"windows_per_s_per_core": medians[name]} for name in ("default", "cnn", "loop")},
        "engines": {
            "litert": medians["default"],
            "tensorflow": medians["tensorflow"],
            "xla": medians["xla"],
        },
        "ratio_to_cnn": medians["default"] / medians["cnn"],
        "ratio_to_loop": medians["default"] / medians["loop"],
        "parameters": {"default": tree.hearing.count_params(), "cnn": cnn.hearing.count_params()},
    }


def _untrained(spec: TreeSpec, front_end: FrontEnd, architecture: str) -> TrainedTree:
    return TrainedTree.of_network(spec, front_end, build_network(spec, front_end, architecture), architecture)


def _in_graph(tree: TrainedTree, windows: FloatArray, *, compiled: bool = False) -> Run:
    tf = load_tensorflow()
    model = tree.serving_model()
    shape = tf.TensorSpec([None, windows.shape[1]], tf.float32)
    graph = tf.function(
        lambda audio: model(audio, training=False)["scores"],
        input_signature=[shape],
        jit_compile=compiled or None,
    )

    def run() -> int:
        for start in range(0, len(windows), _BATCH):
            graph(tf.constant(windows[start : start + _BATCH])).numpy()
        return len(windows)

    return run


def _as_a_loop(tree: TrainedTree, windows: FloatArray, front_end: FrontEnd) -> Run:
    from librosa.feature import melspectrogram

    load_keras()
    hearing = tree.hearing

    def run() -> int:
        for window in windows:
            power = melspectrogram(
                y=window,
                sr=front_end.rate_hz,
                n_fft=front_end.fft_frames,
                win_length=front_end.stft_window_frames,
                hop_length=front_end.stft_hop_frames,
                center=False,
                n_mels=front_end.bands,
                fmin=front_end.low_hz,
                fmax=front_end.high_hz,
            )
            hearing.predict(np.log(power.T + front_end.floor)[np.newaxis], verbose=0)
        return len(windows)

    return run
