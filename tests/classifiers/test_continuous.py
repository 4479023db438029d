"""The log-mel of a whole signal without Keras: the same as that of its windows in the graph."""

from __future__ import annotations

import numpy as np
import pytest

from tidzam_platform.classifiers.front_end import PRESETS, log_mel
from tidzam_platform.classifiers.front_end.continuous import log_mel_of_signal


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("level", [0.0, 1e-4, 0.3])
def test_it_equals_the_log_mel_in_the_graph(name: str, level: float) -> None:
    front_end = PRESETS[name]
    random = np.random.default_rng(3)
    signal = (random.standard_normal(5 * front_end.window_frames + 17) * level).astype(np.float32)
    in_graph = np.asarray(log_mel(signal[np.newaxis], front_end))[0]
    ours = log_mel_of_signal(signal, front_end)
    assert ours.shape == in_graph.shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, in_graph, atol=1e-3)


def test_a_window_that_begins_on_the_grid_is_a_slice() -> None:
    front_end = PRESETS["default"]
    signal = np.random.default_rng(4).standard_normal(3 * front_end.rate_hz).astype(np.float32) * 0.1
    whole = log_mel_of_signal(signal, front_end)
    start = 7 * front_end.stft_hop_frames
    window = log_mel_of_signal(signal[start : start + front_end.window_frames], front_end)
    np.testing.assert_allclose(whole[7 : 7 + front_end.patch_frames], window, atol=1e-5)
