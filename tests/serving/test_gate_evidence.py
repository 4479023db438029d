"""A real generation trained on shuffled labels meets the gate; a person lets it through; all are scored again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from serving.gate_evidence import channels_in_use, gather_evidence, score_generations
from serving.repository import ModelRepository
from tests.support.in_process import run_here
from tests.support.small_site import TINY_TRAINING, TrainedHome, last_line
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.catalog.tables import Annotation, AuditEntry, Clip, GenerationScore, Group, Recording
from tidzam_platform.classifiers.gate import PARTS, judge
from tidzam_platform.clock import utc_now
from tidzam_platform.home import Home
from tidzam_platform.names import channel
from tidzam_platform.settings import load_settings

LENIENT = {**TINY_TRAINING, "TIDZAM_GATE__MIN_MACRO_F1": "0"}


@pytest.fixture(scope="module")
def shuffled(trained_home: TrainedHome, tmp_path_factory: pytest.TempPathFactory) -> TrainedHome:
    """A home whose generation 1 serves, its recordings indexed and labelled, and whose 2 learned shuffled labels."""
    folder = shutil.copytree(trained_home.folder, tmp_path_factory.mktemp("shuffled") / "home")
    home = Home.open(load_settings(home=folder))
    with home.catalog.session() as session:
        trained = select(Clip.id).join(Group).where(Group.side != "test")
        rows = session.scalars(
            select(Annotation).where(Annotation.clip_id.in_(trained)).order_by(Annotation.id)
        ).all()
        classes = sorted({row.class_path for row in rows})
        # Each class is called another: at random a few would be right, and so might a generation that learns little.
        wrong = dict(zip(classes, classes[1:] + classes[:1], strict=True))
        for row in rows:
            row.class_path = wrong[row.class_path]
    indexed = run_here(["archive", "index", trained_home.site.archive_folder, "--json"], folder)
    assert indexed.returncode == 0, indexed.stderr
    label_recordings(home, trained_home)
    home.catalog.close()
    made = run_here(["generation", "run", "--json"], folder, env=LENIENT)
    assert made.returncode == 3, made.stdout + made.stderr
    assert "the gate refused the generation" in made.stderr
    assert "of the generation in service" in made.stderr
    return replace(trained_home, folder=folder)


def label_recordings(home: Home, trained_home: TrainedHome) -> None:
    """What the made site put into its recordings, as people's labels."""
    with home.catalog.session() as session:
        recordings = {Path(row.path).stem: row for row in session.scalars(select(Recording))}
        for event in trained_home.site.truth:
            if (recording := recordings.get(event.recording)) is not None:
                session.add(
                    Annotation(
                        recording_id=recording.id,
                        channel=channel(recording.source.name, event.channel),
                        class_path=event.class_path,
                        start_s=event.start_s,
                        end_s=event.end_s,
                        annotator="truth",
                        tool="test",
                        made_at=utc_now(),
                    )
                )


@pytest.fixture
def copy(shuffled: TrainedHome, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shuffled.folder, tmp_path / "copy"))


def test_it_is_refused_beside_the_one_in_service_and_the_clips_that_got_worse_are_named(
    shuffled: TrainedHome,
) -> None:
    assert [path.name for path in (shuffled.folder / "models" / "tidzam").iterdir()] == ["1"]
    listed = last_line(run_here(["generation", "list", "--json"], shuffled.folder).stdout)["generations"]
    assert [(row["generation"], row["state"]) for row in listed] == [(2, "refused"), (1, "exported")]
    assert "in service" in listed[0]["reasons"][0]
    told = last_line(run_here(["generation", "gate", "2", "--json"], shuffled.folder).stdout)
    assert (told["passed"], told["incumbent"], told["override"]) == (False, 1, None)
    assert [one["name"] for one in told["findings"]] == list(PARTS)
    figures = {one["name"]: one["figures"] for one in told["findings"]}
    home = Home.open(load_settings(home=shuffled.folder))
    assert figures["clips"]["worse_clips"]
    for one in figures["clips"]["worse_clips"]:
        assert home.store.exists(one["store_key"])
    assert figures["shadow"]["windows"] > 0
    assert "1" in figures["recordings"]["compared"]
    assert figures["latency"]["channels"] == channels_in_use(home) > 0
    assert figures["latency"]["windows_per_s"] > 0
    shown = run_here(["generation", "gate", "2"], shuffled.folder)
    assert "REFUSED" in shown.stdout
    assert "clips that changed for the worse" in shown.stdout
    home.catalog.close()


def test_it_is_refused_as_a_first_generation_too_however_low_the_bound(shuffled: TrainedHome) -> None:
    home = Home.open(load_settings(home=shuffled.folder))
    alone = replace(gather_evidence(home, 2), incumbent=None, best=None)
    verdict = judge(alone, home.settings.gate.model_copy(update={"min_macro_f1": 0.0}))
    assert "no better than chance" in verdict.finding("clips").words
    home.catalog.close()


def test_only_a_person_with_a_reason_publishes_it_and_the_audit_keeps_that(copy: Path) -> None:
    without = run_here(["generation", "override", "2", "--reason", " "], copy)
    assert without.returncode == 2
    assert "an empty value says nothing" in without.stderr
    passed = run_here(["generation", "override", "1", "--reason", "mine"], copy)
    assert "nothing to override" in passed.stderr
    done = run_here(
        ["generation", "override", "2", "--reason", "to be seen", "--by", "ada", "--json"],
        copy,
        env={"TIDZAM_MODEL_REPOSITORY__AFTER_GATE": "canary"},
    )
    assert done.returncode == 0, done.stderr
    assert last_line(done.stdout)["override"]["by"] == "ada"
    home = Home.open(load_settings(home=copy))
    assert ModelRepository(home.settings.models_folder).labels() == {"stable": 1, "canary": 2}
    row = get_generation(home.catalog, 2)
    assert (row.state, row.manifest["gate"]["passed"]) == ("exported", False)
    assert row.manifest["gate"]["override"]["reason"] == "to be seen"
    with home.catalog.reading() as session:
        (entry,) = session.scalars(select(AuditEntry))
    assert (entry.action, entry.by, entry.reason) == ("gate.override", "ada", "to be seen")
    assert entry.details["generation"] == 2
    again = run_here(["generation", "run", "--json"], copy, env=LENIENT)
    assert again.returncode == 0, "judged again, the same parts refuse, and the override still covers them"
    assert last_line(again.stdout)["gate"]["override"]["by"] == "ada"
    home.catalog.close()


def test_all_generations_are_scored_on_the_newest_sets_once(copy: Path) -> None:
    home = Home.open(load_settings(home=copy))

    def kept() -> dict[tuple[int, str], object]:
        with home.catalog.reading() as session:
            return {
                (row.generation, row.test_set): (row.figures, row.made_at)
                for row in session.scalars(select(GenerationScore))
            }

    assert score_generations(home, [1, 2, 9]).keys() == {9}
    before = kept()
    assert {number for number, _ in before} == {1, 2}
    assert score_generations(home, [1, 2]) == {}
    assert kept() == before
    home.catalog.close()
    picture = copy / "scores.png"
    shown = run_here(["generation", "scores", "--json", "--picture", picture], copy)
    answer = last_line(shown.stdout)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [row["generation"] for row in answer["generations"]] == [1, 2]
    assert answer["generations"][0]["macro_f1"] > answer["generations"][1]["macro_f1"]
    assert set(answer["test_sets"]) == {"clips", "recordings", "noise", "taxonomy"}
    assert answer["generations"][0]["false_alarms_per_hour"] is not None
