"""``./tidzam evaluate`` on a trained generation: figures of clips and of recordings, tables, pictures, mistakes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from serving.evaluating.unseen import trained_clips
from tests.support.in_process import run_here
from tests.support.small_site import TrainedHome, last_line
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.datasets.build import load_manifest

# A subset keeps the tests quick: two clips of each class.
CLIPS_PER_CLASS = 2


@pytest.fixture(scope="module")
def labelled(trained_home: TrainedHome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few clips of each class and a clip of a class that the generation does not know."""
    folder = tmp_path_factory.mktemp("labelled")
    clips = trained_home.site.labels_file.parent
    with trained_home.site.labels_file.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    chosen = [
        row
        for label in dict.fromkeys(row["label"] for row in rows)
        for row in [row for row in rows if row["label"] == label][:CLIPS_PER_CLASS]
    ]
    for row in chosen:
        (folder / row["file"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clips / row["file"], folder / row["file"])
    with (folder / "labels.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(chosen)
    return folder


def test_clips_are_scored_with_all_figures(trained_home: TrainedHome, labelled: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    answered = run_here(
        ["evaluate", "--data", labelled, "--pictures", pictures, "--json"], trained_home.folder
    )
    assert answered.returncode == 0, answered.stderr
    answer = last_line(answered.stdout)
    assert answer["generation"] == 1
    classes = {name for name, one in answer["per_class"].items() if one["clips"]}
    assert answer["clips"] == CLIPS_PER_CLASS * len(classes)
    assert len(classes) > 5
    for name in ("macro_f1", "accuracy", "decided_macro_f1", "coverage", "ece", "brier", "auroc"):
        assert 0 <= answer[name] <= 1, name
    assert answer["accuracy"] > 1 / len(classes), "better than chance on clips that it was trained on"
    low, high = answer["ci95"]
    assert low <= answer["macro_f1"] <= high
    f1 = [answer["per_class"][name]["f1"] for name in classes]
    assert answer["macro_f1"] == pytest.approx(sum(f1) / len(f1))
    counts = answer["confusion"]["counts"]
    right = sum(counts[index][index] for index in range(len(counts)))
    assert answer["accuracy"] == pytest.approx(right / answer["clips"])
    assert sum(one["clips"] for one in answer["reliability"]) == answer["clips"]
    assert answer["unknown_classes"] == answer["unusable"] == []
    home = trained_home.open()
    trained = trained_clips(home, 1)
    known = [path for path in labelled.rglob("*.opus") if path.name in trained.names]
    assert answer["trained_clips"] == len(known) > 0
    assert f"trained on {len(known)} of these clips" in answered.stderr.replace("\n", " ")
    assert {path.name for path in pictures.iterdir()} == {"classes.png", "confusion.png", "reliability.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures.iterdir())


def test_clips_are_scored_in_a_table(trained_home: TrainedHome, labelled: Path) -> None:
    shown = run_here(["evaluate", "--data", labelled, "--generation", "1"], trained_home.folder)
    assert shown.returncode == 0, shown.stderr
    for word in ("macro-F1", "coverage", "ECE", "noise", "birds-"):
        assert word in shown.stdout


def test_unknown_classes_and_unusable_clips_are_told(
    trained_home: TrainedHome, labelled: Path, tmp_path: Path
) -> None:
    trained = trained_clips(trained_home.open(), 1)
    clip = next(path for path in sorted(labelled.rglob("*.opus")) if path.name in trained.names)
    shutil.copyfile(clip, tmp_path / "song.opus")
    (tmp_path / "broken.opus").write_bytes(clip.read_bytes()[:40])
    (tmp_path / "labels.csv").write_text("file,label\nsong.opus,whale\nbroken.opus,noise\n")
    answered = run_here(["evaluate", "--data", tmp_path, "--json"], trained_home.folder)
    assert answered.returncode == 2, "a clip could not be used"
    answer = last_line(answered.stdout)
    assert (answer["clips"], answer["accuracy"], answer["macro_f1"]) == (1, 0, 0)
    assert answer["trained_clips"] == 1, "known by its bytes, whatever it is called"
    assert answer["unknown_classes"] == ["whale"]
    assert [Path(one["file"]).name for one in answer["unusable"]] == ["broken.opus"]
    assert "whale" in answered.stderr
    assert "broken.opus" in answered.stderr


def test_recordings_are_scored_with_all_figures(trained_home: TrainedHome) -> None:
    folder = trained_home.site.archive_folder
    answered = run_here(["evaluate", "--recordings", folder, "--json"], trained_home.folder)
    assert answered.returncode == 0, answered.stderr
    answer = last_line(answered.stdout)
    truth = trained_home.site.truth
    assert answer["recordings"] == len({event.recording for event in truth})
    assert answer["channels"] == len(list(folder.glob("*.ch*.txt")))
    assert answer["event_based"]["onset_collar_s"] == 0.5
    assert answer["segment_based"]["segment_s"] == 1
    events = answer["event_based"]["per_class"]
    assert {name: one["reference"] for name, one in events.items() if one["reference"]} == {
        name: sum(event.class_path == name for event in truth)
        for name in {event.class_path for event in truth}
    }
    for kind in ("event_based", "segment_based"):
        f1 = [one["f1"] for one in answer[kind]["per_class"].values() if one["reference"]]
        assert answer[kind]["macro_f1"] == pytest.approx(sum(f1) / len(f1))
    # Those who hear the same file with analyze see the same events.
    heard = run_here(["analyze", "--local", "--json", *sorted(folder.glob("*.opus"))], trained_home.folder)
    named = [
        event["class"]
        for event in last_line(heard.stdout)["events"]
        if event["class"] not in ("unknown", "no_signal", "noise")
    ]
    assert sum(one["heard"] for one in events.values()) == len(named)
    assert answer["unseen"] is None
    assert "truth.csv" in answer["unseen_reason"], "the made site's truth names no clips"


def test_recordings_are_scored_in_a_table(trained_home: TrainedHome) -> None:
    shown = run_here(["evaluate", "--recordings", trained_home.site.archive_folder], trained_home.folder)
    assert shown.returncode == 0, shown.stderr
    for word in ("event (onset within 0.5 s) macro-F1", "segment (1 s)", "false alarms per hour"):
        assert word in shown.stdout


def test_unseen_events_are_those_of_clips_on_no_training_side(
    trained_home: TrainedHome, tmp_path: Path
) -> None:
    home = trained_home.open()
    trained = trained_clips(home, 1).names
    with trained_home.site.labels_file.open(newline="") as handle:
        names = {Path(row["file"]).name for row in csv.DictReader(handle)}
    version = get_generation(home.catalog, 1).dataset_version
    sides = [row.side for row in load_manifest(home.catalog, home.store, version).rows]
    assert trained < names
    assert len(names - trained) == sides.count("test") > 0

    site = trained_home.site
    folder = shutil.copytree(site.archive_folder, tmp_path / "archive")
    (folder / "truth.csv").unlink()
    with (folder / "truth.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["recording", "channel", "start_s", "end_s", "clip"])
        for number, event in enumerate(site.truth):
            clip = min(trained) if number else min(names - trained)
            writer.writerow(
                [event.recording, event.channel, round(event.start_s, 3), round(event.end_s, 3), f"x/{clip}"]
            )
    answer = last_line(run_here(["evaluate", "--recordings", folder, "--json"], trained_home.folder).stdout)
    assert answer["unseen"]["events"] == 1
    assert answer["unseen"]["trained_events"] == len(site.truth) - 1
    assert answer["unseen"]["events_without_origin"] == 0
    assert answer["unseen_reason"] is None
    assert answer["unseen"]["event_based"]["micro"]["reference"] == 1


def test_a_generation_of_another_home_leaves_unseen_events_open(
    trained_home: TrainedHome, tmp_path: Path
) -> None:
    site = trained_home.site
    event = site.truth[0]
    archive = tmp_path / "archive"
    archive.mkdir()
    for path in site.archive_folder.glob(f"{event.recording}.*"):
        shutil.copyfile(path, archive / path.name)
    (archive / "truth.csv").write_text(
        f"recording,channel,start_s,end_s,clip\n{event.recording},1,0,1,cat.wav\n"
    )
    for part in ("models", "secrets"):  # the key that signed it is trusted there, too
        shutil.copytree(trained_home.folder / part, tmp_path / "other" / part)
    answered = run_here(["evaluate", "--recordings", archive, "--json"], tmp_path / "other")
    assert answered.returncode == 0, answered.stderr
    answer = last_line(answered.stdout)
    assert answer["unseen"] is None
    assert "no generation 1" in answer["unseen_reason"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "either --data FOLDER or --recordings FOLDER"),
        (["--data", "a", "--recordings", "b"], "either --data FOLDER or --recordings FOLDER"),
        (["--recordings", "a", "--pictures", "b"], "--pictures goes with --data"),
    ],
)
def test_wrong_usage_is_explained(tmp_path: Path, options: list[str], complaint: str) -> None:
    refused = run_here(["evaluate", *options], tmp_path)
    assert refused.returncode == 2
    assert complaint in refused.stderr


def test_what_is_missing_is_named(trained_home: TrainedHome, labelled: Path, tmp_path: Path) -> None:
    for options, complaint, code in (
        (["--data", tmp_path], "labels.csv: no such file", 2),
        (["--recordings", tmp_path], "no recording with a label track", 2),
        (["--data", labelled, "--generation", "9"], "no version 9", 1),
    ):
        refused = run_here(["evaluate", *options], trained_home.folder)
        assert refused.returncode == code, refused.stderr
        assert complaint in refused.stderr
    empty = run_here(["evaluate", "--data", labelled], tmp_path / "empty")
    assert empty.returncode == 1
    assert "./tidzam generation run" in empty.stderr
