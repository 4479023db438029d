"""``./tidzam taxonomy``: classes change, labels stay, and who changed what and why is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.in_process import run_here
from tests.support.small_site import last_line
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.home import Home
from tidzam_platform.settings import load_settings


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    home = Home.open(load_settings(home=folder))
    with home.catalog.session() as session:
        for path in ("birds-crow", "cat", "kitten", "frogs-tree", "frogs-pool", "frogs"):
            session.add(
                Annotation(
                    class_path=path,
                    annotator="ann",
                    tool="test",
                    made_at=datetime(2026, 4, 1, tzinfo=UTC),
                    detection_id="d",
                )
            )
    home.catalog.close()
    return folder


def test_each_change_is_a_version_with_who_and_why(labelled: Path, tmp_path: Path) -> None:
    kept = run_here(["rule", "add", "--forbid", "--classes", "kitten", "--json"], labelled)
    assert kept.returncode == 0, kept.stderr
    why = ("--reason", "a test", "--by", "ada", "--json")
    renamed = last_line(run_here(["taxonomy", "rename", "birds", "avian", *why], labelled).stdout)
    assert (renamed["version"], renamed["mapping"]["birds-crow"], renamed["by"]) == (1, ["avian-crow"], "ada")
    merged = last_line(run_here(["taxonomy", "merge", "cat,kitten", "cat", *why], labelled).stdout)
    assert merged["mapping"] == {"kitten": ["cat"]}
    assert [one["also"] for one in merged["rules"]] == [["cat"]]
    split = last_line(run_here(["taxonomy", "split", "frogs", "--by-labels", *why], labelled).stdout)
    assert split["mapping"] == {"frogs": ["frogs-pool", "frogs-tree"]}
    changes = tmp_path / "changes.toml"
    changes.write_text('[rename]\ncat = "animal-cat"\n')
    applied = last_line(run_here(["taxonomy", "apply", str(changes), *why], labelled).stdout)
    assert applied["version"] == 4
    told = last_line(run_here(["taxonomy", "list", "--json"], labelled).stdout)
    assert told["version"] == 4
    assert {"class": "animal-cat", "was": ["cat", "kitten"]} in told["classes"]
    assert told["split"] == {"frogs": ["frogs-pool", "frogs-tree"]}
    assert [one["version"] for one in told["changes"]] == [4, 3, 2, 1]
    assert "avian-crow" in run_here(["taxonomy", "list"], labelled).stdout


def test_what_makes_no_sense_is_refused_and_changes_nothing(labelled: Path) -> None:
    for command, words in (
        (("rename", "brids", "avian"), "no class 'brids' is known"),
        (("rename", "cat", "kitten"), "merge cat,kitten kitten"),
        (("merge", "cat,dog", "animal"), "no class 'dog'"),
        (("split", "cat", "--by-labels"), "at least two classes"),
        (("rename", "cat", "Not A Path"), "no class path"),
    ):
        refused = run_here(["taxonomy", *command, "--reason", "a test"], labelled)
        assert refused.returncode == 2, refused.stderr
        assert words in refused.stderr
    assert run_here(["taxonomy", "split", "frogs", "--reason", "x"], labelled).returncode == 2
    assert last_line(run_here(["taxonomy", "list", "--json"], labelled).stdout)["version"] == 0
