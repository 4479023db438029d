"""The front end: equal to librosa, and a window's features are a slice of the signal's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidzam_platform.classifiers.features import clip_features
from tidzam_platform.classifiers.front_end import (
    PRESETS,
    FrontEnd,
    Normalisation,
    level_dbfs,
    log_mel,
    mel_filters,
    normalise,
    preset,
    standardise,
)
from tidzam_platform.errors import TrainingError

OUTDOORS = {"pcen_gain": 0.8, "pcen_bias": 10.0, "pcen_power": 0.25, "pcen_time_constant_s": 0.06}
KINDS = ("silence", "noise", "full scale", "tone", "click", "onset")
in_some_signals = given(
    kind=st.sampled_from(KINDS), gain_db=st.floats(-80, 0), seed=st.integers(0, 2**32 - 1)
)
every_preset = pytest.mark.parametrize("name", sorted(PRESETS))


def noise(seconds: float, rate_hz: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(round(seconds * rate_hz)).astype(np.float32) * 0.1


def signal(kind: str, gain_db: float, seed: int, front_end: FrontEnd) -> np.ndarray:
    """One window, float32 ``[samples]`` in [-1, 1]."""
    random = np.random.default_rng(seed)
    samples = front_end.window_frames
    time = np.arange(samples) / front_end.rate_hz
    white = random.uniform(-1, 1, samples)
    tone = np.sin(2 * np.pi * random.uniform(0, front_end.rate_hz / 2) * time)
    start = random.integers(samples)
    audio = {
        "silence": np.zeros(samples),
        "noise": white,
        "full scale": np.sign(white),
        "tone": 0.999 * tone + 0.001 * white,
        "click": np.eye(1, samples, start)[0],
        "onset": np.where(np.arange(samples) < start, 0.0, white),
    }[kind]
    gain = 1.0 if kind == "full scale" else 10 ** (gain_db / 20)
    return (gain * audio).astype(np.float32)


def librosa_mel(audio: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """What librosa says, in double precision: float64 ``[bands, frames]``."""
    import librosa

    htk = front_end.scale == "htk"
    return librosa.feature.melspectrogram(
        y=audio.astype(np.float64),
        sr=front_end.rate_hz,
        n_fft=front_end.fft_frames,
        win_length=front_end.stft_window_frames,
        hop_length=front_end.stft_hop_frames,
        n_mels=front_end.bands,
        fmin=front_end.low_hz,
        fmax=front_end.high_hz,
        power={"power": 2.0, "magnitude": 1.0}[front_end.spectrum],
        htk=htk,
        norm=None if htk else "slaney",
        center=False,
    )


def librosa_pcen(mel: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    """Librosa's PCEN that begins at the first frame; ``[bands, frames]``."""
    import librosa

    frames = front_end.pcen_time_constant_s * front_end.rate_hz / front_end.stft_hop_frames
    b = (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    return librosa.pcen(
        mel,
        sr=front_end.rate_hz,
        hop_length=front_end.stft_hop_frames,
        gain=front_end.pcen_gain,
        bias=front_end.pcen_bias,
        power=front_end.pcen_power,
        time_constant=front_end.pcen_time_constant_s,
        eps=front_end.pcen_eps,
        zi=(1 - b) * mel[:, :1],
    )


@every_preset
@settings(max_examples=20, deadline=None)
@in_some_signals
def test_log_mel_equals_librosa(name: str, kind: str, gain_db: float, seed: int) -> None:
    front_end = preset(name)
    audio = signal(kind, gain_db, seed, front_end)
    ours = np.asarray(log_mel(audio[np.newaxis], front_end))[0]
    assert ours.shape == (front_end.patch_frames, front_end.bands)
    expected = np.log(librosa_mel(audio, front_end).T + front_end.floor)
    # 70 dB below the loudest band a spectrum of float32 is rounding, librosa's as well as ours.
    is_heard = expected > expected.max() - 70 / 10 * np.log(10)
    np.testing.assert_allclose(ours[is_heard], expected[is_heard], atol=1e-3, rtol=0)
    np.testing.assert_allclose(ours, expected, atol=1e-2, rtol=0)


@pytest.mark.parametrize("name", ["default", "tidzam", "nordby"])
@pytest.mark.parametrize(
    "parameters",
    [{}, OUTDOORS, {"pcen_power": 0.0}, {"pcen_bias": 0.0}],
    ids=["speech", "outdoors", "log", "root"],
)
@settings(max_examples=20, deadline=None)
@in_some_signals
def test_pcen_equals_librosa(
    name: str, parameters: dict[str, Any], kind: str, gain_db: float, seed: int
) -> None:
    front_end = replace(preset(name), normalisation="pcen", **parameters)
    audio = signal(kind, gain_db, seed, front_end)
    patches = np.asarray(log_mel(audio[np.newaxis], front_end))
    mel = np.maximum(
        np.exp(patches[0].astype(np.float64).T) - front_end.floor, 1e-30
    )  # librosa's root takes a log
    ours = np.asarray(normalise(patches, front_end))[0]
    assert ours.min() >= 0
    np.testing.assert_allclose(ours, librosa_pcen(mel, front_end).T, atol=1e-3, rtol=0)


@every_preset
def test_pcen_from_audio_equals_librosa_from_audio(name: str) -> None:
    front_end = replace(preset(name), normalisation="pcen")
    audio = signal("onset", -20, 5, front_end)
    ours = np.asarray(normalise(log_mel(audio[np.newaxis], front_end), front_end))[0]
    expected = librosa_pcen(librosa_mel(audio, front_end), front_end).T
    assert expected.max() > 0.5
    np.testing.assert_allclose(ours, expected, atol=1e-3, rtol=0)


def test_pcen_hardly_depends_on_the_gain_and_rises_at_an_onset() -> None:
    front_end = FrontEnd(normalisation="pcen")
    steady = signal("noise", -20, 1, front_end)
    loud, soft = (
        np.asarray(normalise(log_mel(gain * steady[np.newaxis], front_end), front_end)) for gain in (1.0, 0.5)
    )
    assert np.abs(loud - soft).mean() < 0.05 * loud.mean()
    burst = steady.copy()
    burst[len(burst) // 2 :] *= 10
    frames = np.asarray(normalise(log_mel(burst[np.newaxis], front_end), front_end))[0].mean(axis=1)
    assert frames[50] > 2 * frames[40] > frames[-1]  # it rises, and settles again


@pytest.mark.parametrize("normalisation", get_args(Normalisation))
@every_preset
def test_normalise_does_what_the_field_says(name: str, normalisation: Normalisation) -> None:
    front_end = replace(preset(name), normalisation=normalisation, fixed_mean=-3.0, fixed_deviation=2.0)
    patches = np.asarray(log_mel(signal("noise", -10, 2, front_end)[np.newaxis], front_end))
    expected = {
        "none": patches,
        "fixed": (patches + 3.0) / 2.0,
        "standardise": (patches - patches.mean()) / (patches.std() + 1e-3),
        "pcen": librosa_pcen(np.exp(patches[0].T.astype(np.float64)) - front_end.floor, front_end).T[
            np.newaxis
        ],
    }
    assert expected.keys() == set(get_args(Normalisation))
    np.testing.assert_allclose(np.asarray(normalise(patches, front_end)), expected[normalisation], atol=1e-3)


@every_preset
def test_the_window_s_frames_are_a_slice_of_the_signal_s(name: str) -> None:
    front_end = preset(name)
    audio = noise(3 * front_end.window_s, front_end.rate_hz)
    whole, offsets = clip_features(audio, front_end)
    assert len(offsets) >= 3
    for offset in offsets:
        start = offset * front_end.stft_hop_frames
        assert start % front_end.hop_frames == 0
        window = audio[np.newaxis, start : start + front_end.window_frames]
        alone = np.asarray(log_mel(window, front_end))[0]
        np.testing.assert_allclose(whole[offset : offset + front_end.patch_frames], alone, atol=1e-4)


def test_the_presets_are_those_of_the_papers() -> None:
    assert preset("default") == FrontEnd()
    tidzam = preset("tidzam")
    assert (tidzam.window_s, 1 - tidzam.hop_s / tidzam.window_s) == (0.5, 0.25)
    assert (round(tidzam.low_hz, -1), round(tidzam.high_hz, -2)) == (940, 7900)
    nordby = preset("nordby")
    assert nordby.normalisation == "standardise"
    assert (nordby.bands, nordby.stft_hop_frames / nordby.rate_hz) == (64, 0.025)
    vggish = preset("vggish")
    assert (vggish.normalisation, vggish.spectrum, vggish.floor) == ("none", "magnitude", 0.01)
    assert (vggish.patch_frames, vggish.bands) == (96, 64)
    assert vggish.hop_frames == 96 * vggish.stft_hop_frames  # no frame is in two patches
    assert mel_filters(vggish).max() <= 1  # HTK's bands have height 1


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(
        TrainingError, match="no front end 'mfcc'; there are: default, nordby, tidzam, vggish"
    ):
        preset("mfcc")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"rate_hz": 0}, "rate_hz is 0"),
        ({"floor": 0.0}, "floor is 0.0"),
        ({"scale": "bark"}, "scale is 'bark', it must be one of: slaney, htk"),
        ({"spectrum": "phase"}, "power, magnitude"),
        ({"normalisation": "max"}, "one of: .*standardise, pcen, none"),
        ({"fixed_deviation": 0.0}, "fixed_deviation"),
        ({"pcen_gain": -1.0}, "pcen_gain"),
        ({"pcen_time_constant_s": 0.0}, "pcen_time_constant_s"),
        ({"stft_window_frames": 2048}, "stft_window_frames 2048"),
        ({"stft_hop_frames": 800}, "stft_hop_frames 800"),
        ({"high_hz": 13_000.0}, "raise rate_hz or lower high_hz"),
        ({"low_hz": 0.0}, "low_hz 0.0"),
        ({"window_s": 0.02, "hop_s": 0.01}, "lengthen window_s"),
        ({"hop_s": 1.5}, "goes unheard"),
        ({"hop_s": 0.333}, "must be a multiple of stft_hop_frames 240"),
        ({"hop_s": 1e-6}, "hop_s"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        FrontEnd(**parameters)


def test_bands_narrower_than_the_fft_resolves_are_refused() -> None:
    with pytest.raises(TrainingError, match="bands hold no bin of the FFT"):
        mel_filters(FrontEnd(bands=300))


def test_parameters_survive_json() -> None:
    import json

    for front_end in PRESETS.values():
        assert FrontEnd(**json.loads(json.dumps(front_end.to_dict()))) == front_end
    assert FrontEnd(rate_hz=24_000, bands=64) == FrontEnd()  # stored before the later fields were


def test_a_window_on_the_grid_is_a_slice_of_the_whole_signal() -> None:
    front_end = FrontEnd()
    audio = noise(3.0, front_end.rate_hz)
    whole, offsets = clip_features(audio, front_end)
    assert offsets == (0, 50, 100, 150, 200)
    for offset in offsets:
        start = offset * front_end.stft_hop_frames
        window = audio[np.newaxis, start : start + front_end.window_frames]
        alone = np.asarray(log_mel(window, front_end))[0]
        np.testing.assert_allclose(whole[offset : offset + front_end.patch_frames], alone, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.01, 0.3, 0.999])
def test_a_short_clip_is_seen_at_the_start_of_a_window_as_in_analysis(seconds: float) -> None:
    front_end = FrontEnd()
    audio = noise(seconds, front_end.rate_hz)
    features, offsets = clip_features(audio, front_end)
    padded = np.pad(audio, (0, front_end.window_frames - len(audio)))
    expected = np.asarray(log_mel(padded[np.newaxis], front_end))[0]
    (offset,) = offsets
    np.testing.assert_allclose(features[offset : offset + front_end.patch_frames], expected, atol=1e-4)


def test_standardised_patches_hardly_depend_on_the_gain() -> None:
    front_end = FrontEnd()
    audio = noise(1.0, front_end.rate_hz)[np.newaxis]
    loud, soft = (np.asarray(standardise(log_mel(audio * gain, front_end))) for gain in (1.0, 0.1))
    assert np.abs(loud - soft).mean() < 5e-3  # the floor below the logarithm remains
    assert abs(loud.mean()) < 1e-3
    assert abs(loud.std() - 1) < 1e-2


def test_levels_are_in_dbfs_with_a_floor() -> None:
    time = np.arange(24_000) / 24_000
    audio = np.stack([np.sin(2 * np.pi * 440 * time), 0.1 * np.sin(2 * np.pi * 440 * time), 0 * time])
    levels = np.asarray(level_dbfs(audio.astype(np.float32)))
    np.testing.assert_allclose(levels, [-3.01, -23.01, -120.0], atol=0.01)


def test_exact_silence_gives_finite_features() -> None:
    front_end = FrontEnd()
    silence = np.zeros((1, front_end.window_frames), np.float32)
    assert np.isfinite(np.asarray(standardise(log_mel(silence, front_end)))).all()
