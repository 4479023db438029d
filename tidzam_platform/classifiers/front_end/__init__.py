"""The front end: one function for training and serving, written in backend-neutral Keras operations.

Frames are not padded at the borders, so the log-mel of a window that begins on a multiple of the STFT hop is a
slice of the log-mel of the whole signal: training cuts its patches from whole clips and sees what serving sees.
"""

from tidzam_platform.classifiers.front_end.normalisation import normalise, pcen, standardise
from tidzam_platform.classifiers.front_end.parameters import FrontEnd, Normalisation, Scale, Spectrum
from tidzam_platform.classifiers.front_end.presets import PRESETS, preset
from tidzam_platform.classifiers.front_end.spectrogram import (
    LEVEL_FLOOR_DBFS,
    band_centres_hz,
    level_dbfs,
    log_mel,
    mel_filters,
)

__all__ = [
    "LEVEL_FLOOR_DBFS",
    "PRESETS",
    "FrontEnd",
    "Normalisation",
    "Scale",
    "Spectrum",
    "band_centres_hz",
    "level_dbfs",
    "log_mel",
    "mel_filters",
    "normalise",
    "pcen",
    "preset",
    "standardise",
]
