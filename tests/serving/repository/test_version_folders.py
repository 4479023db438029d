"""A version is whole or not there, and never changes unless it is damaged."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from serving.manifest import MANIFEST_PATH
from tests.serving.repository.tiny_versions import publish, run_python, stage, start_python
from tidzam_platform.errors import ModelRepositoryError


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_repository_that_was_never_used_is_empty(repository):
    assert repository.versions() == []
    assert repository.latest() is None
    with pytest.raises(ModelRepositoryError, match="no version 1"):
        repository.path(1)


def test_published_versions_are_listed_in_numeric_order(repository):
    for version in (10, 9, 2):
        publish(repository, version)
    assert repository.versions() == [2, 9, 10]
    assert repository.latest() == 10
    assert repository.path(9) == repository.base_path / "9"


def test_the_base_path_holds_version_folders_and_nothing_else(repository):
    with repository.staging() as staged:
        stage(staged)
        assert not repository.base_path.exists() or not any(repository.base_path.iterdir())
        assert staged.stat().st_dev == repository.base_path.parent.stat().st_dev
        repository.publish(4, staged)
    publish(repository, 5)
    assert sorted(path.name for path in repository.base_path.iterdir()) == ["4", "5"]


def test_other_names_are_no_versions(repository):
    publish(repository, 1)
    for name in ("0", "01", "-1", "1.5", "latest", "٣", "9" * 30):
        (repository.base_path / name).mkdir()
    (repository.base_path / "7").write_text("a file")
    assert repository.versions() == [1]


def test_publishing_the_same_again_changes_nothing(repository):
    path = publish(repository, 1)
    before = everything_below(path)
    assert publish(repository, 1) == path
    assert everything_below(path) == before
    assert not any((repository.base_path.parent / ".partial").iterdir())


def test_a_version_never_changes(repository):
    path = publish(repository, 1)
    before = everything_below(path)
    with pytest.raises(ModelRepositoryError, match="a version never changes"):
        publish(repository, 1, "another graph")
    assert everything_below(path) == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "variables" / "variables.index").write_text("indey"),
        lambda folder: (folder / MANIFEST_PATH).unlink(),
        lambda folder: (shutil.rmtree(folder), folder.write_text("no folder")),
    ],
)
def test_publishing_over_a_damaged_version_replaces_it(repository, spoil):
    path = publish(repository, 1)
    repository.promote(1, by="ada", reason="a test")
    spoil(path)
    assert not repository.is_fit(1)
    assert publish(repository, 1, "another graph") == path
    repository.verify(1)
    assert (path / "saved_model.pb").read_text() == "another graph"
    assert repository.labels() == {"stable": 1}
    assert not any((repository.base_path.parent / ".partial").iterdir())


@pytest.mark.parametrize("crash_at", ["repository.set_aside", "repository.deleted", "export.published"])
def test_replacing_survives_kill_9_and_is_finished_by_the_same_command(home, repository, crash_at):
    assert run_python(_PUBLISH, home.home) == 0
    (repository.path(1) / "saved_model.pb").write_text("gRaph")
    assert run_python(_PUBLISH, home.home, crash_at=crash_at) == -signal.SIGKILL
    assert repository.versions() == ([] if crash_at == "repository.set_aside" else [1])
    assert run_python(_PUBLISH, home.home) == 0
    repository.verify(1)
    assert not any((home.models_folder / ".partial").iterdir())


def test_what_another_process_is_staging_is_not_swept_away(home, repository):
    with start_python(_STAGE_SLOWLY, home.home) as other:
        try:
            staged = Path(other.stdout.readline().strip())
            publish(repository, 1)
            assert (staged / "saved_model.pb").exists()
        finally:
            other.kill()
    publish(repository, 2)
    assert not any((home.models_folder / ".partial").iterdir())


def test_what_is_no_saved_model_is_not_published(repository):
    with (
        repository.staging() as staged,
        pytest.raises(ModelRepositoryError, match=r"holds no saved_model\.pb"),
    ):
        repository.publish(1, staged)


@pytest.mark.parametrize("version", [0, -1, 10**30, "1", "../1", "1/../../2", True, 1.0])
def test_versions_are_positive_numbers(repository, version):
    with pytest.raises(ModelRepositoryError, match="whole numbers"):
        repository.path(version)


def test_a_whole_version_is_verified(repository):
    publish(repository, 1)
    repository.verify(1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "saved_model.pb").write_text("grapH"), r"saved_model\.pb is damaged"),
        (lambda folder: (folder / "variables" / "variables.index").unlink(), r"variables\.index is missing"),
        (lambda folder: (folder / "assets.extra" / "more").write_text(""), "more is not in the manifest"),
        (lambda folder: (folder / MANIFEST_PATH).unlink(), r"manifest\.json cannot be read"),
        (lambda folder: (folder / MANIFEST_PATH).write_text("[]"), "is not the one that was signed"),
        (lambda folder: (folder / "link").symlink_to("/etc/hostname"), "is no plain file"),
        (lambda folder: os.mkfifo(folder / "pipe"), "is no plain file"),
    ],
)
def test_a_damaged_version_is_not_verified(repository, spoil, message):
    spoil(publish(repository, 1))
    with pytest.raises(ModelRepositoryError, match=message):
        repository.verify(1)


def test_what_was_staged_and_not_published_is_removed(repository):
    with repository.staging() as staged:
        stage(staged)
    assert not staged.exists()
    assert repository.versions() == []


_STAGE_SLOWLY = """
import time
with repository.staging() as staged:
    (staged / "saved_model.pb").write_text("graph")
    print(staged, flush=True)
    time.sleep(60)
"""
_PUBLISH = """
with repository.staging() as staged:
    (staged / "variables").mkdir()
    (staged / "saved_model.pb").write_text("graph")
    (staged / "variables" / "variables.index").write_text("index")
    repository.publish(1, staged)
"""


@pytest.mark.parametrize(
    ("crash_at", "visible"),
    [("repository.key_trusted", []), ("export.staged", []), ("export.published", [1])],
)
def test_publishing_survives_kill_9_and_is_finished_by_the_same_command(home, repository, crash_at, visible):
    assert run_python(_PUBLISH, home.home, crash_at=crash_at) == -signal.SIGKILL
    assert repository.versions() == visible
    for version in visible:
        repository.verify(version)
    assert run_python(_PUBLISH, home.home) == 0
    assert repository.versions() == [1]
    repository.verify(1)
    assert not any((home.models_folder / ".partial").iterdir())
    assert not any((home.home / "secrets" / ".partial").iterdir())
