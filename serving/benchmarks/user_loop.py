"""Hearing a recording as one writes it first: librosa's features window by window, and ``model.predict`` of each."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import numpy as np

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.network import build_network
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.tree.building import flat
from tidzam_platform.settings import load_settings

_CLASSES: Final = tuple(f"animal-kind{number}" for number in range(14))
_HEARD_S: Final = 10.0  # of one channel, after as much to warm up: it is slow


def loop_cpu_s_per_channel_s(file: Path, front_end: FrontEnd) -> float:
    """Processor time of the loop for a second of one channel, s, loading by librosa included.

    The network is the default one, so that the loop has no more arithmetic to do than we.
    """
    from librosa import load
    from librosa.feature import melspectrogram

    load_keras()
    spec, architecture = flat(_CLASSES), load_settings().training.architecture
    network = build_network(spec, front_end, architecture)
    model = TrainedTree.of_network(spec, front_end, network, architecture).hearing

    def hear(offset_s: float) -> int:
        audio, rate_hz = load(file, sr=front_end.rate_hz, mono=False, offset=offset_s, duration=_HEARD_S)
        channel = np.atleast_2d(audio)[0]
        heard = 0
        for start in range(0, len(channel) - front_end.window_frames + 1, front_end.hop_frames):
            power = melspectrogram(
                y=channel[start : start + front_end.window_frames],
                sr=rate_hz,
                n_fft=front_end.fft_frames,
                win_length=front_end.stft_window_frames,
                hop_length=front_end.stft_hop_frames,
                center=False,
                n_mels=front_end.bands,
                fmin=front_end.low_hz,
                fmax=front_end.high_hz,
            )
            model.predict(np.log(power.T + front_end.floor)[np.newaxis], verbose=0)
            heard += 1
        return heard

    hear(0.0)
    began_s = time.process_time()
    windows = hear(_HEARD_S)
    return (time.process_time() - began_s) / (windows * front_end.hop_s)
