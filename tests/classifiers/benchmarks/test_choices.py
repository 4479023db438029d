"""The table of quality against cost: every choice can be built, and finished ones are not run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_site import TrainedHome
from tidzam_platform.classifiers.architectures import build_trunk
from tidzam_platform.classifiers.benchmarks.choices import as_markdown, choices, measure_choices
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import Settings, TrainingSettings

TINY = TrainingSettings(windows_per_epoch=64, batch_size=16)


def test_each_choice_changes_something_and_every_front_end_and_network_of_it_fits(home: Settings) -> None:
    available = choices(home, epochs=4)
    default = available["default"]
    for name, choice in available.items():
        assert choice.training.max_epochs == 4, "the same effort for all"
        assert name == "default" or (choice.front_end, choice.training) != (
            default.front_end,
            default.training,
        )
        trunk = build_trunk(choice.training.architecture, choice.front_end)
        assert trunk.input_shape == (None, choice.front_end.patch_frames, choice.front_end.bands)


@pytest.mark.long
def test_a_choice_is_measured_beside_the_default_once(
    trained_home: TrainedHome, home: Settings, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = home.model_copy(update={"training": TINY})

    def run() -> list[dict]:
        return measure_choices(
            trained_home.site.labels_file,
            settings,
            tmp_path,
            folds=2,
            run=1,
            epochs=1,
            only=("narrow",),
            say=said.append,
        )

    rows = run()
    assert [row["name"] for row in rows] == ["default", "narrow"]
    assert rows[0]["difference"] == 0
    assert rows[1]["difference"] == pytest.approx(rows[1]["macro_f1"] - rows[0]["macro_f1"])
    assert rows[1]["parameters"] < rows[0]["parameters"]
    assert all(row["log_loss"] > 0 and row["windows_per_s_per_core"] > 0 for row in rows)
    said.clear()
    assert run() == rows
    assert said == []
    table = as_markdown(rows).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert f"| width | narrow | {rows[1]['macro_f1']:.3f} |" in table[3]


def test_a_name_that_is_no_choice_is_an_error(home: Settings, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no choice wider; there are: default, compact"):
        measure_choices(
            tmp_path / "labels.csv", home, tmp_path, folds=2, run=1, epochs=1, only=("wider",), say=print
        )
