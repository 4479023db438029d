"""Figures of labelled clips for a generation of several labels, with a model that hears tones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.analysis import hear_file
from serving.evaluating import evaluate_clips, read_labelled_folder
from serving.signature import ModelDescription
from tests.serving.evaluating.tones import NO_SIGNAL_DBFS, RATE_HZ, ToneModel, tone, write_wav
from tests.support.parts import require_part
from tidzam_platform.settings import DecisionSettings, EventSettings

THRESHOLD = 0.3  # of shares of the power: two tones alike are both heard
AS_DECIDED = DecisionSettings(events=EventSettings(on_threshold=0, off_threshold=0))


class SeveralTones(ToneModel):
    """Every tone that has a third of the power is heard."""

    def describe(self) -> ModelDescription:
        known = super().describe()
        classes = tuple(replace(one, threshold=THRESHOLD) for one in known.classes)
        return replace(known, classes=classes, labels="multi")


def test_each_class_is_held_against_the_set_of_true_ones(tmp_path: Path) -> None:
    require_part("ffmpeg")
    write_wav(tmp_path / "cat.wav", tone(2, cat=1))
    write_wav(tmp_path / "both.wav", tone(2, cat=0.5, saw=0.5))
    write_wav(tmp_path / "dog.wav", tone(2, dog=0.6, saw=0.4))
    write_wav(tmp_path / "silence.wav", np.zeros(RATE_HZ, np.float32))
    (tmp_path / "labels.csv").write_text(
        "file,label,parent\n"
        "cat.wav,cat,animal\n"
        "both.wav,cat,animal\nboth.wav,saw,machine\n"
        "dog.wav,dog,animal\n"
        "silence.wav,saw,machine\n"
    )
    entries = read_labelled_folder(tmp_path)
    assert evaluate_clips(entries, ToneModel(), no_signal_dbfs=NO_SIGNAL_DBFS).each is None
    figures = evaluate_clips(entries, SeveralTones(), no_signal_dbfs=NO_SIGNAL_DBFS)
    assert figures.each is not None
    cat, dog, saw = (figures.each.per_class[name] for name in ("animal-cat", "animal-dog", "machine-saw"))
    assert (cat.f1, cat.clips) == (1, 2)
    assert (dog.f1, dog.clips) == (1, 1)
    assert (saw.precision, saw.recall) == (0.5, 0.5), "heard beside the dog; not heard in silence"
    assert figures.each.macro_f1 == pytest.approx((1 + 1 + 0.5) / 3)
    assert figures.to_dict()["multi_label"]["per_class"]["machine-saw"]["recall"] == 0.5


def test_in_a_file_events_of_several_classes_overlap(tmp_path: Path) -> None:
    require_part("ffmpeg")
    parts = [tone(2, cat=1), tone(2, cat=0.5, saw=0.5), tone(2, saw=1)]
    path = write_wav(tmp_path / "all.wav", np.concatenate(parts))
    hearing = hear_file(path, SeveralTones(), AS_DECIDED, keep_windows=True)
    spans = {
        event.class_path: (event.start_frame / RATE_HZ, event.end_frame / RATE_HZ) for event in hearing.events
    }
    assert len(hearing.events) == 2
    assert spans["animal-cat"] == pytest.approx((0.25, 4.0), abs=0.5)
    assert spans["machine-saw"] == pytest.approx((2.0, 5.75), abs=0.5)
    assert {window.answer.class_path for window in hearing.windows} == set(spans)
