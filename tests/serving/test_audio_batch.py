"""Audio that no model can judge is found, with the row and the reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.audio_batch import MAX_AMPLITUDE, as_audio_batch, find_unusable_row
from tidzam_platform.errors import ModelServerError


@given(
    st.integers(0, 7),
    st.integers(0, 49),
    st.sampled_from([np.nan, np.inf, -np.inf, MAX_AMPLITUDE * 1.01, -32768.0]),
)
def test_one_bad_sample_is_found_and_its_row_named(row: int, column: int, bad: float):
    audio = np.full((8, 50), 0.5, np.float32)
    assert find_unusable_row(audio) is None
    audio[row, column] = bad
    complaint = find_unusable_row(audio)
    assert complaint is not None
    assert complaint.startswith(f"row {row} of audio")


def test_lossy_codecs_may_overshoot_full_scale():
    assert find_unusable_row(np.full((1, 10), 1.4, np.float32)) is None


def test_batches_without_rows_or_samples_are_fine():
    assert find_unusable_row(np.zeros((0, 10), np.float32)) is None
    assert find_unusable_row(np.zeros((3, 0), np.float32)) is None


def test_other_floats_become_float32_and_float32_is_not_copied():
    audio = np.zeros((2, 3), np.float32)
    assert as_audio_batch(audio) is audio
    assert as_audio_batch(audio.astype(np.float64)).dtype == np.float32
    assert as_audio_batch(np.zeros((3, 2), np.float32).T).flags.c_contiguous


@pytest.mark.parametrize("audio", [np.zeros(5, np.float32), np.zeros((1, 2, 3)), np.zeros((2, 3), np.int16)])
def test_what_is_no_batch_of_floats_is_refused(audio):
    with pytest.raises(ModelServerError):
        as_audio_batch(audio)
