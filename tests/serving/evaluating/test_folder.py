"""Figures of labelled clips, against hand calculations with a model that hears tones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serving.evaluating import FolderFigures, evaluate_clips, read_labelled_folder
from serving.evaluating.clip_scores import score_clips
from tests.serving.evaluating.tones import NO_SIGNAL_DBFS, RATE_HZ, ToneModel, tone, write_wav
from tests.support.parts import require_part
from tidzam_platform.errors import AudioError, LabelError

SILENCE = np.zeros(RATE_HZ, np.float32)


def evaluate(folder: Path, *rows: str) -> FolderFigures:
    require_part("ffmpeg")
    (folder / "labels.csv").write_text("\n".join(["file,label,parent,group", *rows]) + "\n")
    return evaluate_clips(read_labelled_folder(folder), ToneModel(), no_signal_dbfs=NO_SIGNAL_DBFS)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A cat, a dog, a dog that is more of a cat, a saw, silence."""
    write_wav(tmp_path / "cat.wav", tone(2, cat=1))
    write_wav(tmp_path / "dog.wav", tone(0.7, dog=1))
    write_wav(tmp_path / "both.wav", tone(1.5, cat=0.45, dog=0.40, noise=0.15))
    write_wav(tmp_path / "saw.wav", tone(1, saw=0.9, noise=0.1), tone(1, saw=0.9, noise=0.1))
    write_wav(tmp_path / "silence.wav", SILENCE)
    return tmp_path


ROWS = (
    "cat.wav,cat,animal,g1",
    "dog.wav,dog,animal,g2",
    "both.wav,dog,animal,g2",
    "saw.wav,saw,machine,g3",
    "silence.wav,silence,no_signal,g4",
)


def test_figures_equal_a_hand_calculation(clips: Path) -> None:
    figures = evaluate(clips, *ROWS)
    assert figures.generation == 7
    closed = figures.closed.per_class
    assert figures.closed.accuracy == pytest.approx(4 / 5), "the mix is heard as a cat"
    assert closed["animal-cat"].f1 == pytest.approx(2 / 3)
    assert closed["animal-dog"].f1 == pytest.approx(2 / 3)
    assert closed["no_signal-silence"].f1 == 1, "too quiet to be anything: that is silence"
    assert figures.closed.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1 + 1) / 4)
    # The decision on the mix is "animal": it covers nothing, and is a miss for the dog but no false cat.
    assert figures.coverage == pytest.approx(4 / 5)
    assert figures.decided_precision == 1
    assert figures.decided.per_class["animal-cat"].f1 == 1
    assert figures.decided.macro_f1 == pytest.approx((1 + 2 / 3 + 1 + 1) / 4)
    assert figures.unknown_classes == ()
    # Confidences 1, 1, 0.45 (wrong), 0.9 and that of silence, whose best leaf is wrong.
    assert figures.interval.low <= figures.closed.macro_f1 <= figures.interval.high
    answer = figures.to_dict()
    assert answer["macro_f1"] == figures.closed.macro_f1
    assert answer["clips"] == 5
    assert answer["per_class"]["animal-dog"]["decided_recall"] == pytest.approx(0.5)


def test_calibration_is_of_the_best_leaf(clips: Path) -> None:
    figures = evaluate(clips, *ROWS[:4])
    # one bin a clip: 0.45 and wrong, 0.9 and right, 1 and right, 1 and right
    assert figures.ece == pytest.approx((0.45 + 0.1 + 0 + 0) / 4, abs=0.01)
    assert figures.brier == pytest.approx((0.45**2 + 0.1**2) / 4, abs=0.01)
    assert [one.clips for one in figures.reliability] == [1, 1, 1, 1]


def test_silence_without_a_class_of_it_is_answered_by_the_best_leaf_and_covers_nothing(clips: Path) -> None:
    figures = evaluate(clips, ROWS[0], "silence.wav,saw,machine,g4")
    assert figures.coverage == pytest.approx(1 / 2)
    assert figures.decided_precision == 1
    assert "no_signal" not in figures.closed.classes


def test_a_class_that_the_model_does_not_know_is_named_and_wrong(clips: Path) -> None:
    figures = evaluate(clips, *ROWS[:2], "saw.wav,whale,animal,g3")
    assert figures.unknown_classes == ("animal-whale",)
    assert figures.closed.accuracy == pytest.approx(2 / 3)
    assert figures.closed.per_class["animal-whale"].recall == 0
    assert figures.to_dict()["per_class"]["animal-whale"]["auroc"] is None


def test_labels_may_be_endings_and_inner_classes(clips: Path) -> None:
    figures = evaluate(clips, "cat.wav,cat,,g1", "both.wav,animal,,g2", "saw.wav,machine,,g3")
    assert figures.unknown_classes == ()
    assert figures.closed.accuracy == 1, "a cat is an animal, and a saw is a machine"
    assert figures.coverage == 1, "animal is what the data says, so animal is an answer"
    assert figures.decided.accuracy == 1


def test_any_class_of_a_clip_with_several_is_right(clips: Path) -> None:
    figures = evaluate(clips, "both.wav,cat,animal,g1", "both.wav,dog,animal,g1")
    assert figures.closed.clips == 1
    assert figures.closed.accuracy == 1


def test_a_clip_is_the_mean_over_its_windows_of_the_mean_over_its_channels(tmp_path: Path) -> None:
    require_part("ffmpeg")
    # windows at 0, 0.5 and 1 s: cat, half of each, dog
    changing = write_wav(tmp_path / "changing.wav", np.concatenate([tone(1, cat=1), tone(1, dog=1)]))
    # out of phase, the cats of both channels cancel out
    stereo = write_wav(
        tmp_path / "stereo.wav", tone(1, cat=0.5, dog=0.5), tone(1, dog=0.5) - tone(1, cat=0.5)
    )
    short = write_wav(tmp_path / "short.wav", tone(0.25, saw=1))
    heard = score_clips([changing, stereo, short], ToneModel())
    assert heard.heard == (0, 1, 2)
    np.testing.assert_allclose(heard.scores[0, 1:3], 0.5, atol=0.01)
    np.testing.assert_allclose(heard.scores[1, 1:3], [0, 1], atol=0.01)
    level_dbfs = 10 * np.log10(0.3**2 / 2)
    np.testing.assert_allclose(heard.level_dbfs[0], level_dbfs, atol=0.1)
    np.testing.assert_allclose(heard.level_dbfs[2], level_dbfs - 10 * np.log10(4), atol=0.1)


def test_many_clips_come_back_in_order_and_progress_counts_each(tmp_path: Path) -> None:
    require_part("ffmpeg")
    names = ["cat", "dog", "saw", "noise"] * 3  # more than are decoded ahead
    paths = [
        write_wav(tmp_path / f"{number}.wav", tone(0.4 + number / 5, **{name: 1.0}))
        for number, name in enumerate(names)
    ]
    paths[9] = tmp_path / "missing.wav"
    done: list[int] = []
    heard = score_clips(paths, ToneModel(), done.append)
    assert sum(done) == len(paths)
    assert list(heard.unusable) == [9]
    assert heard.heard == tuple(number for number in range(len(paths)) if number != 9)
    leaves = ["animal-cat", "animal-dog", "machine-saw", "noise"]
    best = heard.scores[:, [1, 2, 4, 5]].argmax(axis=1)
    assert [leaves[index].rpartition("-")[2] for index in best] == [
        name for number, name in enumerate(names) if number != 9
    ]


def test_a_clip_that_cannot_be_heard_is_named_and_the_others_are_scored(clips: Path) -> None:
    (clips / "broken.wav").write_text("no audio")
    figures = evaluate(clips, *ROWS[:2], "broken.wav,cat,animal,g9")
    assert figures.closed.clips == 2
    assert [Path(bad["file"]).name for bad in figures.unusable] == ["broken.wav"]
    with pytest.raises(AudioError, match="none of 1 clips"):
        evaluate(clips, "broken.wav,cat,animal,g9")


def test_without_labels_there_is_nothing_to_evaluate(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"labels\.csv"):
        read_labelled_folder(tmp_path)
    with pytest.raises(LabelError, match="no labelled clips"):
        evaluate_clips([], ToneModel(), no_signal_dbfs=NO_SIGNAL_DBFS)
