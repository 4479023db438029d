"""What many people would try first: statistics of MFCCs with a random forest or a support vector machine."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

N_MFCC: Final = 20
_N_FFT: Final = 2048
TREES: Final = 500
SVM_C: Final = 10.0

FloatArray = npt.NDArray[np.float32]


def mfcc_statistics(audio: FloatArray, rate_hz: int) -> FloatArray:
    """Mean and standard deviation over time of 20 MFCCs (librosa's defaults), float32 ``[40]``, of a clip."""
    from librosa.feature import mfcc

    padded = np.pad(
        audio, (0, max(0, _N_FFT - len(audio)))
    )  # librosa warns about clips shorter than its window
    coefficients = mfcc(y=padded, sr=rate_hz, n_mfcc=N_MFCC, n_fft=_N_FFT)
    return np.concatenate([coefficients.mean(axis=1), coefficients.std(axis=1)]).astype(np.float32)


def forest(seed: int) -> Any:
    """Random forest of 500 trees, classes weighing alike."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(TREES, class_weight="balanced", random_state=seed, n_jobs=1)


def svm(seed: int) -> Any:
    """Support vector machine with radial basis functions on standardised statistics, classes weighing alike."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(C=SVM_C, class_weight="balanced", random_state=seed))


def count_parameters(model: Any) -> int:
    """Numbers that a fitted model of this module holds: of each split and leaf, or of the support vectors."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    if hasattr(last, "support_vectors_"):
        return int(last.support_vectors_.size + last.dual_coef_.size + last.intercept_.size)
    return sum(int(2 * tree.tree_.node_count + tree.tree_.value.size) for tree in last.estimators_)
