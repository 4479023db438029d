"""The comparison of classifiers: every clip is answered once, and finished folds are not run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_site import TrainedHome
from tidzam_platform.classifiers.benchmarks.comparison import compare_classifiers
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import Settings, TrainingSettings

TINY = TrainingSettings(max_epochs=1, windows_per_epoch=64, batch_size=16, refit=False)


@pytest.mark.long
def test_all_systems_answer_for_every_clip_and_a_second_call_runs_nothing(
    trained_home: TrainedHome, home: Settings, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = home.model_copy(update={"training": TINY})

    def run() -> dict[str, object]:
        return compare_classifiers(
            trained_home.site.labels_file,
            settings,
            tmp_path,
            folds=2,
            only=("mfcc_svm", "default"),
            say=said.append,
        )

    report = run()
    rows = {row["name"]: row for row in report["classifiers"]}  # type: ignore[attr-defined]
    assert set(rows) == {"mfcc_svm", "default"}
    assert report["clips"] == 72
    for row in rows.values():
        assert sum(figures["clips"] for figures in row["per_class"].values()) == 72
        assert row["ci95"][0] <= row["macro_f1"] <= row["ci95"][1]
        assert row["windows_per_s_per_core"] > 0
        assert row["parameters"] > 0
    assert rows["mfcc_svm"]["macro_f1"] > 0.15  # chance is below 0.09
    assert {"ece", "coverage", "decided_precision"} <= rows["default"].keys()
    assert set(report["differences"]) == {"mfcc_svm"}  # type: ignore[call-overload]
    said.clear()
    assert run() == report
    assert said == []


def test_a_name_that_is_no_system_is_an_error(
    trained_home: TrainedHome, home: Settings, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="there are: mfcc_forest"):
        compare_classifiers(
            trained_home.site.labels_file, home, tmp_path, folds=2, only=("alexnet",), say=lambda _text: None
        )
