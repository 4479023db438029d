"""Import and build: everything once, corrections supersede, groups keep their sides."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from tests.support.data import shared_data
from tests.support.in_process import run_here
from tests.support.parts import require_part
from tidzam_platform.audio import write_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.datasets.build import build_dataset, load_manifest
from tidzam_platform.datasets.importer import ImportReport, import_labels, read_labels
from tidzam_platform.errors import DatasetError
from tidzam_platform.store import LocalStore


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve short clips in two classes of three groups each."""
    require_part("ffmpeg")
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(5)
    lines = ["file,label,parent,group"]
    for index in range(12):
        name, label = f"{index}.flac", ("robin", "crow")[index % 2]
        audio = random.standard_normal((1, 4_800)).astype(np.float32) * 0.1
        write_audio(folder / name, audio, 24_000, codec="flac")
        lines.append(f"{name},{label},birds,{label}-{index // 4}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def bring_in(catalog: Catalog, store: LocalStore, labels: Path, annotator: str = "anna") -> ImportReport:
    return import_labels(catalog, store, read_labels(labels), annotator=annotator)


def test_a_second_import_adds_nothing(catalog: Catalog, store: LocalStore, clips: Path) -> None:
    first = bring_in(catalog, store, clips / "labels.csv")
    assert (first.added, first.skipped, first.unusable) == (12, 0, [])
    assert first.classes == {"birds-crow": 6, "birds-robin": 6}
    keys = list(store.keys())
    second = bring_in(catalog, store, clips / "labels.csv")
    assert (second.added, second.relabelled, second.skipped) == (0, 0, 12)
    assert list(store.keys()) == keys


def test_a_corrected_label_supersedes_and_history_stays(
    catalog: Catalog, store: LocalStore, clips: Path, tmp_path: Path
) -> None:
    bring_in(catalog, store, clips / "labels.csv")
    before = build_dataset(catalog, store).version
    corrected = tmp_path / "labels.csv"
    corrected.write_text((clips / "labels.csv").read_text().replace("\n0.flac,robin", "\n0.flac,wren"))
    for path in clips.glob("*.flac"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    report = bring_in(catalog, store, corrected)
    assert (report.added, report.relabelled, report.skipped) == (0, 1, 11)
    with catalog.reading() as session:
        said = session.scalars(select(Annotation).join(Clip).order_by(Annotation.id)).all()
        (old,) = [one for one in said if one.superseded_by_id is not None]
        assert old.class_path == "birds-robin"
        assert session.get_one(Annotation, old.superseded_by_id).class_path == "birds-wren"
    assert build_dataset(catalog, store).version != before
    assert load_manifest(catalog, store, before).version == before, "a version is for ever"


def test_two_people_may_say_different_things(
    catalog: Catalog, store: LocalStore, clips: Path, tmp_path: Path
) -> None:
    bring_in(catalog, store, clips / "labels.csv", "anna")
    assert bring_in(catalog, store, clips / "labels.csv", "ben").relabelled == 12
    assert bring_in(catalog, store, clips / "labels.csv", "anna").skipped == 12


def test_one_bad_file_is_reported_and_the_others_come_in(
    catalog: Catalog, store: LocalStore, clips: Path, tmp_path: Path
) -> None:
    good = next(clips.glob("*.flac"))
    (tmp_path / "good.flac").write_bytes(good.read_bytes())
    (tmp_path / "copy.flac").write_bytes(good.read_bytes())
    (tmp_path / "bad.flac").write_text("no audio")
    (tmp_path / "labels.csv").write_text(
        "file,label\ngood.flac,rain\nbad.flac,rain\nabsent.flac,rain\ncopy.flac,wind\n"
        f"{'n' * 300}.flac,rain\n.,rain\n"
    )
    report = bring_in(catalog, store, tmp_path / "labels.csv")
    assert report.added == 1
    assert report.skipped == 1
    unusable = {Path(one["file"]).name for one in report.unusable}
    assert unusable == {"bad.flac", "absent.flac", f"{'n' * 300}.flac", tmp_path.name}
    assert all("labels.csv:" in one["error"] for one in report.unusable if "bad.flac" not in one["file"])
    assert report.classes == {"rain": 1, "wind": 1}, "what was not stored is not counted"
    assert "the same audio as" in report.warnings[0]
    again = bring_in(catalog, store, tmp_path / "labels.csv")
    assert (again.added, again.relabelled, again.skipped) == (0, 0, 2), (
        "a copy with another label is no correction"
    )


def test_the_same_labels_give_one_version_and_no_group_is_on_two_sides(
    catalog: Catalog, store: LocalStore, clips: Path
) -> None:
    bring_in(catalog, store, clips / "labels.csv")
    first, second = build_dataset(catalog, store), build_dataset(catalog, store)
    assert first.version == second.version
    rows = load_manifest(catalog, store, first.version).rows
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.group, set()).add(row.side)
    assert all(len(found) == 1 for found in sides.values())
    for name in ("birds-robin", "birds-crow"):
        assert {row.side for row in rows if row.class_path == name} >= {"train", "test"}


def test_without_labels_there_is_no_dataset(catalog: Catalog, store: LocalStore) -> None:
    with pytest.raises(DatasetError, match="dataset import"):
        build_dataset(catalog, store)


def test_the_fieldset_comes_in_whole_and_once(tmp_path: Path, store: LocalStore) -> None:
    labels = shared_data("fieldset", "labels.csv")
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    first = bring_in(catalog, store, labels)
    assert (first.added, first.skipped) == (942, 0)
    assert {"animal-bird", "noise", "no_signal-silence"} <= set(first.classes)
    second = bring_in(catalog, store, labels)
    assert (second.added, second.skipped) == (0, 942)
    version = build_dataset(catalog, store)
    assert version.summary["not_split"] == {}
    assert build_dataset(catalog, store).version == version.version
    catalog.close()


def test_names_from_anywhere_come_in_and_what_does_not_is_exit_code_2(clips: Path, tmp_path: Path) -> None:
    rain = tmp_path / "clips" / "rain"
    rain.mkdir(parents=True)
    for index, name in enumerate((b"[red]x.flac", b"\xff.flac")):
        (rain / os.fsdecode(name)).write_bytes((clips / f"{index}.flac").read_bytes())
    answer = run_here(["dataset", "import", rain.parent, "--json"], tmp_path / "home")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["added"] == 2
    (tmp_path / "good.flac").write_bytes((clips / "2.flac").read_bytes())
    (tmp_path / "[").mkdir()
    (tmp_path / "[/b].flac").write_text("no audio")
    (tmp_path / "labels.csv").write_text("file,label,group\ngood.flac,wind,[/b]g\n[/b].flac,wind,g\n")
    for group in ("[/b]g", "[/b]other"):  # the second is told not to be taken
        (tmp_path / "labels.csv").write_text(f"file,label,group\ngood.flac,wind,{group}\n[/b].flac,wind,g\n")
        answer = run_here(["dataset", "import", tmp_path / "labels.csv", "--json"], tmp_path / "home")
        assert answer.returncode == 2, answer.stderr
        assert json.loads(answer.stdout)["classes"] == {"wind": 1}
        assert f"not imported: {tmp_path / '[/b].flac'}" in answer.stderr
    assert "'[/b]other' is not taken" in answer.stderr
