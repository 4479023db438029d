"""Figures of recordings with label tracks, with a model that hears tones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from serving.evaluating import RecordingFigures, evaluate_recordings
from serving.evaluating.label_tracks import find_labelled
from serving.evaluating.unseen import read_origins
from tests.serving.evaluating.tones import NO_SIGNAL_DBFS, RATE_HZ, ToneModel, tone, write_wav
from tests.support.parts import require_part
from tidzam_platform.errors import AudioError, LabelError
from tidzam_platform.settings import DecisionSettings

SECONDS = 30


def channel(*events: tuple[float, float, str]) -> NDArray[np.float32]:
    """Silence with tones from start to end, s."""
    sound = np.zeros(SECONDS * RATE_HZ, np.float32)
    for start_s, end_s, name in events:
        sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)] = tone(end_s - start_s, **{name: 1.0})
    return sound


def write_track(folder: Path, name: str, *events: tuple[float, float, str]) -> None:
    (folder / name).write_text("".join(f"{start}\t{end}\t{label}\n" for start, end, label in events))


def evaluate(folder: Path, trained: frozenset[str] | None = None) -> RecordingFigures:
    require_part("ffmpeg")
    found = find_labelled(folder)
    return evaluate_recordings(
        found.recordings,
        ToneModel(),
        DecisionSettings(no_signal_dbfs=NO_SIGNAL_DBFS),
        origins=read_origins(one.path for one in found.recordings),
        trained=trained,
    )


def test_what_is_heard_where_it_sounds_is_found(tmp_path: Path) -> None:
    write_wav(
        tmp_path / "night.wav",
        channel((3, 5, "cat"), (10, 12, "dog")),
        channel((4, 6, "saw")),
        channel((20, 22, "cat")),
    )
    write_track(tmp_path, "night.ch1.txt", (3, 5, "cat"), (10, 12, "animal-dog"))
    write_track(tmp_path, "night.ch2.txt", (4, 6, "Saw"))
    figures = evaluate(tmp_path)
    assert (figures.recordings, figures.channels, figures.seconds) == (1, 2, 2 * SECONDS), (
        "no track, no score"
    )
    assert figures.sounds.event_based.macro_f1 == 1
    assert figures.sounds.event_based.micro.f1 == 1
    assert {name: one.reference for name, one in figures.sounds.segment_based.per_class.items()} == {
        "animal-cat": 2,
        "animal-dog": 2,
        "machine-saw": 2,
    }
    assert figures.sounds.segment_based.micro.recall == 1
    assert figures.false_alarms.count == 0
    assert figures.false_alarms.hours == pytest.approx((2 * SECONDS - 6) / 3600)
    assert figures.labels.known["Saw"] == "machine-saw"
    assert figures.unseen is None


def test_confusions_misses_and_false_alarms_are_counted(tmp_path: Path) -> None:
    write_wav(tmp_path / "night.wav", channel((3, 5, "cat"), (10, 12, "saw"), (20, 22, "noise")))
    write_track(tmp_path, "night.ch1.txt", (3, 5, "dog"), (14, 16, "cat"), (25, 26, "whale"))
    figures = evaluate(tmp_path)
    events = figures.sounds.event_based
    assert {name: (one.reference, one.heard, one.matched) for name, one in events.per_class.items()} == {
        "animal-cat": (1, 1, 0),
        "animal-dog": (1, 0, 0),
        "machine-saw": (0, 1, 0),
        "whale": (1, 0, 0),
    }, "noise that nobody labelled is no event"
    assert events.macro_f1 == 0
    assert figures.labels.unknown == ("whale",)
    assert figures.false_alarms.by_class == {"machine-saw": 1}, "the cat was heard where a dog sounds"
    assert figures.false_alarms.per_hour == pytest.approx(1 / ((SECONDS - 5) / 3600))


def test_labelled_noise_is_an_event_and_a_coarse_label_takes_what_is_below_it(tmp_path: Path) -> None:
    write_wav(tmp_path / "night.wav", channel((3, 5, "noise"), (10, 12, "cat")))
    write_track(tmp_path, "night.ch1.txt", (3, 5, "noise"), (10, 12, "animal"))
    figures = evaluate(tmp_path)
    assert figures.sounds.event_based.macro_f1 == 1
    assert set(figures.sounds.event_based.per_class) == {"animal", "noise"}
    assert figures.false_alarms.hours == pytest.approx((SECONDS - 2) / 3600)


def test_an_empty_track_says_that_nothing_sounds(tmp_path: Path) -> None:
    write_wav(tmp_path / "night.wav", channel((3, 5, "cat")))
    write_track(tmp_path, "night.ch1.txt")
    figures = evaluate(tmp_path)
    assert figures.sounds.event_based.macro_f1 is None
    assert figures.false_alarms.per_hour == pytest.approx(3600 / SECONDS)


def test_events_of_clips_that_were_not_trained_on_are_scored_by_themselves(tmp_path: Path) -> None:
    write_wav(
        tmp_path / "night.wav", channel((3, 5, "cat"), (10, 12, "dog"), (18, 20, "saw"), (25, 27, "cat"))
    )
    write_track(tmp_path, "night.ch1.txt", (3, 5, "cat"), (10, 12, "cat"), (18, 20, "saw"), (25, 27, "dog"))
    (tmp_path / "truth.csv").write_text(
        "recording,channel,start_s,end_s,label,clip,level_db\n"
        "night,1,3.000,5.000,cat,cats/known.wav,-9\n"
        "night,1,10.000,12.000,cat,cats/new.wav,-9\n"
        "night,1,18.000,20.000,saw,saws/new.wav,-9\n"
    )
    figures = evaluate(tmp_path, trained=frozenset({"known.wav", "other.wav"}))
    unseen = figures.unseen
    assert unseen is not None
    assert (unseen.events, unseen.trained_events, unseen.events_without_origin) == (2, 1, 1)
    found = {
        name: (one.reference, one.heard, one.matched)
        for name, one in unseen.sounds.event_based.per_class.items()
    }
    # What was heard beside the trained cat and the dog of unknown origin does not count, for or against.
    assert found == {"animal-cat": (1, 0, 0), "animal-dog": (0, 1, 0), "machine-saw": (1, 1, 1)}
    assert unseen.sounds.event_based.macro_f1 == pytest.approx(1 / 2)
    assert unseen.sounds.segment_based.per_class["animal-cat"].heard == 0
    assert figures.sounds.event_based.per_class["animal-cat"].reference == 2, "the whole is scored as before"
    assert evaluate(tmp_path).unseen is None, "nobody knows what it was trained on"


def test_a_truth_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("recording,channel,start_s,end_s,clip\nnight,one,3,5,cat.wav\n")
    with pytest.raises(LabelError, match=r"truth\.csv"):
        read_origins([tmp_path / "night.wav"])
    (tmp_path / "truth.csv").write_text("recording,channel,start_s,end_s,class_path\nnight,1,3,5,cat\n")
    assert read_origins([tmp_path / "night.wav"]) is None, "it names no clips"


def test_a_track_of_a_channel_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "night.wav", channel())
    write_track(tmp_path, "night.ch2.txt", (3, 5, "cat"))
    with pytest.raises(LabelError, match="1 channels, but a label track for channel 2"):
        evaluate(tmp_path)


def test_a_recording_that_cannot_be_heard_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_text("no audio")
    write_track(tmp_path, "broken.ch1.txt", (3, 5, "cat"))
    with pytest.raises(AudioError, match="none of 1 recordings"):
        evaluate(tmp_path)
    write_wav(tmp_path / "night.wav", channel((3, 5, "cat")))
    write_track(tmp_path, "night.ch1.txt", (3, 5, "cat"))
    figures = evaluate(tmp_path)
    assert [Path(bad["file"]).name for bad in figures.unusable] == ["broken.wav"]
    assert figures.sounds.event_based.macro_f1 == 1
    assert figures.sounds.event_based.per_class["animal-cat"].reference == 1
