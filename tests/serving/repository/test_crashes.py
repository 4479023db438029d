"""kill -9 at any step of a change: what holds is the old or the new, servers are told, and the same call ends it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from serving.repository import ModelRepository
from tests.serving.repository.test_server_files import policy
from tests.serving.repository.tiny_versions import WHY, run_python

# The state is written first, then models.config: each to a temporary file, then renamed.
STATE_IS_OLD = ["files.written:1"]
STATE_IS_NEW = ["files.renamed:1", "repository.state_written", "files.written:2", "files.renamed:2"]
BETWEEN = "repository.state_written"
OLD = ("specific", [1], {"stable": 1})


@pytest.fixture
def promoted(with_versions) -> ModelRepository:
    repository = with_versions(1, 2, 3)
    repository.promote(1, **WHY)
    return repository


def assert_tidy(models_folder: Path) -> None:
    """Nothing half-written or half-removed is left, and the config follows the state."""
    assert not any((models_folder / ".partial").iterdir())
    assert ModelRepository(models_folder).write_server_files() == []


@pytest.mark.parametrize("crash_at", STATE_IS_OLD + STATE_IS_NEW)
def test_promote(home, promoted, crash_at):
    code = "repository.promote(3, **WHY)"
    assert run_python(code, home.home, crash_at=crash_at) == -signal.SIGKILL
    assert promoted.labels() == {"stable": 3 if crash_at in STATE_IS_NEW else 1}
    assert policy(promoted) in (OLD, ("specific", [1, 3], {"stable": 3}))
    promoted.promote(3, **WHY)
    assert promoted.labels() == {"stable": 3}
    assert [change.version for change in promoted.history()] == [1, 3], "promoted once"
    assert policy(promoted) == ("specific", [1, 3], {"stable": 3})
    assert_tidy(home.models_folder)


def test_rollback_from_a_named_version(home, promoted):
    promoted.promote(2, **WHY)
    promoted.promote(3, **WHY)
    code = "repository.rollback(expected=3, **WHY)"
    assert run_python(code, home.home, crash_at=BETWEEN) == -signal.SIGKILL
    promoted.rollback(expected=3, **WHY)
    assert promoted.labels() == {"stable": 2}, "one step, though it was asked for twice"
    assert policy(promoted) == ("specific", [1, 2], {"stable": 2})
    assert_tidy(home.models_folder)


def test_the_label_after_the_gate_is_given_once(home, promoted):
    code = "repository.introduce(3, 'canary', judged_beside=1)"
    assert run_python(code, home.home, crash_at=BETWEEN) == -signal.SIGKILL
    promoted.introduce(3, "canary", judged_beside=1)
    assert promoted.labels() == {"stable": 1, "canary": 3}
    assert [change.by for change in promoted.history()] == ["ada", "gate"]
    assert_tidy(home.models_folder)


def test_a_server_that_starts_finds_the_label_of_a_promotion_that_was_killed(home, promoted):
    code = "repository.promote(3, **WHY)"
    assert run_python(code, home.home, crash_at=BETWEEN) == -signal.SIGKILL
    assert policy(promoted) == OLD
    assert promoted.write_server_files() == [promoted.serving_folder / "models.config"]
    assert policy(promoted) == ("specific", [1, 3], {"stable": 3})


def test_a_config_that_lags_is_brought_up_to_date_before_what_it_names_is_collected(home, promoted):
    promoted.promote(2, **WHY)
    code = "repository.promote(3, **WHY)"
    assert run_python(code, home.home, crash_at=BETWEEN) == -signal.SIGKILL
    assert policy(promoted) == ("specific", [1, 2], {"stable": 2})
    assert promoted.collect_garbage(0) == [1]
    assert policy(promoted) == ("specific", [2, 3], {"stable": 3})


@pytest.mark.parametrize(
    "crash_at", ["repository.set_aside:1", "repository.set_aside:2", "repository.deleted:1"]
)
def test_collecting(home, with_versions, crash_at):
    repository = with_versions(1, 2, 3, 4, 5, 6)
    repository.promote(1, **WHY)
    repository.promote(6, **WHY)
    code = "repository.collect_garbage(0)"
    assert run_python(code, home.home, crash_at=crash_at) == -signal.SIGKILL
    left = repository.versions()
    assert set(left) >= {1, 6}
    assert 2 not in left
    for version in left:
        repository.verify(version)
    repository.collect_garbage(0)
    assert repository.versions() == [1, 6]
    assert_tidy(home.models_folder)
