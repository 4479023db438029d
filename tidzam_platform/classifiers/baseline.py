"""The baseline that a classifier must beat: the nearest centroid on statistics of MFCCs.

It sees the mean spectrum of a clip and how much it varies, but no order in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.errors import TrainingError

N_MFCC: Final = 20
_N_FFT: Final = 2048

LabelledClip = tuple[NDArray[np.float32], str]


def nearest_centroid_macro_f1(
    train: Sequence[LabelledClip], test: Sequence[LabelledClip], rate_hz: int
) -> float:
    """Macro-F1 on ``test`` of the nearest centroid of ``train``.

    A clip becomes the mean and the standard deviation over time of 20 MFCCs (librosa's defaults), standardised by
    the mean and deviation of the training clips; it is given the class whose centroid is nearest (Euclidean).

    Args:
        train: clips (float32 ``[frames]``, mono, in [-1, 1]) with their class.
        test: likewise. A class of ``test`` that ``train`` lacks counts with an F1 of 0.
        rate_hz: the rate of all clips.

    Returns:
        The mean over the classes of ``test`` of F1, in [0, 1].

    Raises:
        TrainingError: one of the sides is empty.
    """
    if not train or not test:
        raise TrainingError("the baseline needs clips to train on and clips to test on; one side is empty")
    train_features, train_labels = _features(train, rate_hz)
    test_features, test_labels = _features(test, rate_hz)

    mean, deviation = train_features.mean(axis=0), train_features.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    train_features = (train_features - mean) / scale
    test_features = (test_features - mean) / scale

    classes = np.unique(train_labels)
    centroids = np.stack([train_features[train_labels == name].mean(axis=0) for name in classes])
    distances = np.linalg.norm(test_features[:, None, :] - centroids, axis=2)
    return _macro_f1(test_labels, classes[distances.argmin(axis=1)])


def _features(clips: Sequence[LabelledClip], rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    from librosa.feature import mfcc

    rows = []
    for samples, _ in clips:
        # a clip shorter than one analysis window is padded, librosa would warn about it
        padded = np.pad(samples, (0, max(0, _N_FFT - len(samples))))
        coefficients = mfcc(y=padded, sr=rate_hz, n_mfcc=N_MFCC, n_fft=_N_FFT)
        rows.append(np.concatenate([coefficients.mean(axis=1), coefficients.std(axis=1)]))
    return np.stack(rows).astype(np.float64), np.array([label for _, label in clips])


def _macro_f1(truth: NDArray[np.str_], answers: NDArray[np.str_]) -> float:
    scores = []
    for name in np.unique(truth):
        hits = np.sum((truth == name) & (answers == name))
        scores.append(2 * hits / (np.sum(truth == name) + np.sum(answers == name)))
    return float(np.mean(scores))
