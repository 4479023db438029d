"""Garbage collection takes what nobody needs, whole, and never what serves or may serve again."""

from __future__ import annotations

import pytest

from tests.serving.repository.tiny_versions import WHY, publish
from tidzam_platform.errors import ModelRepositoryError


def test_retired_versions_and_old_ones_without_a_label_go(with_versions):
    repository = with_versions(*range(1, 9))
    for version in (1, 3, 5):
        repository.promote(version, **WHY)
    repository.promote(2, label="canary", **WHY)
    repository.retire(7, **WHY)
    # Labelled: 5 and 2; rollback goes to 3. Of the others (1, 4, 6, 8) the newest one stays.
    assert repository.collect_garbage(1) == [1, 4, 6, 7]
    assert repository.versions() == [2, 3, 5, 8]
    assert repository.collect_garbage(1) == []
    assert repository.labels() == {"stable": 5, "canary": 2}
    assert repository.rollback(**WHY).version == 3


def test_what_is_kept_counts_neither_labelled_nor_retired_ones(with_versions):
    repository = with_versions(1, 2, 3, 4, 5)
    repository.promote(5, **WHY)
    repository.retire(4, **WHY)
    assert repository.collect_garbage(2) == [1, 4]


def test_a_version_that_was_published_a_moment_ago_waits_for_the_gate(with_versions):
    repository = with_versions(1, 2)
    repository.introduce(2, "stable", judged_beside=None)
    publish(repository, 3)
    assert repository.collect_garbage(0) == [1]
    assert repository.introduce(3, "stable", judged_beside=2) is not None
    repository.promote(2, **WHY)
    assert repository.collect_garbage(0) == []  # 2 is stable, rollback goes to 3


def test_the_newest_stays_while_it_serves_for_want_of_a_promotion(with_versions):
    repository = with_versions(1, 2)
    assert repository.collect_garbage(0) == [1]
    assert repository.versions() == [2]


def test_an_empty_repository_has_no_garbage(repository):
    assert repository.collect_garbage(0) == []


def test_fewer_than_none_cannot_be_kept(repository):
    with pytest.raises(ModelRepositoryError, match="0 or more"):
        repository.collect_garbage(-1)


def test_what_was_collected_can_be_published_again(with_versions):
    repository = with_versions(1, 2, 3)
    repository.promote(3, **WHY)
    assert repository.collect_garbage(0) == [1, 2]
    publish(repository, 1)
    repository.verify(1)
    repository.promote(1, **WHY)
    assert repository.labels() == {"stable": 1}


def test_a_link_that_stands_for_a_version_is_removed_and_what_it_leads_to_is_not(with_versions, tmp_path):
    repository = with_versions(1, 2, 3)
    elsewhere = repository.path(1).rename(tmp_path / "elsewhere")
    (repository.base_path / "1").symlink_to(elsewhere)
    repository.promote(3, **WHY)
    assert repository.collect_garbage(0) == [1, 2]
    assert (elsewhere / "saved_model.pb").exists()
    assert not any((repository.base_path.parent / ".partial").iterdir())
