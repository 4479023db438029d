"""Several processes change the repository at once: as if one after the other, and nothing that serves is removed."""

from __future__ import annotations

import itertools
import subprocess
import threading

import pytest

from serving.repository import ModelRepository
from tests.serving.repository.tiny_versions import WHY, publish, start_python
from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.files import exclusive

VERSIONS = range(1, 9)


def finish(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


_PROMOTE_MANY = """
own = [int(argument) for argument in sys.argv[2:]]
for turn in range(10):
    repository.promote(own[turn % len(own)], by=sys.argv[2], reason=f"turn {turn}")
"""


def test_promotions_of_several_processes_follow_one_another_and_none_is_lost(home, with_versions):
    repository = with_versions(*VERSIONS)
    finish(
        start_python(_PROMOTE_MANY, home.home, 1, 2, 3),
        start_python(_PROMOTE_MANY, home.home, 4, 5),
        start_python(_PROMOTE_MANY, home.home, 6, 7),
    )
    history = repository.history()
    assert [change.reason for change in history if change.by == "4"] == [f"turn {turn}" for turn in range(10)]
    assert len(history) == 30
    for before, after in itertools.pairwise(history):
        assert after.previous_version == before.version, "each knew what the one before had done"
        assert before.time <= after.time
    assert repository.labels() == {"stable": history[-1].version}
    assert repository.write_server_files() == []


_COLLECT_ALL = """
for _ in range(60):
    repository.collect_garbage(0)
"""


def test_the_collector_never_takes_what_is_being_promoted(home, with_versions):
    repository = with_versions(*VERSIONS)
    repository.promote(8, **WHY)
    collector = start_python(_COLLECT_ALL, home.home)
    promoted = 0
    refusals: list[str] = []
    for version in itertools.cycle(VERSIONS[:-1]):
        publish(repository, version)  # collected at any moment, as it is neither labelled nor the newest
        try:
            repository.promote(version, **WHY)
        except ModelRepositoryError as error:
            refusals.append(str(error))
        else:
            promoted += 1
            repository.verify(repository.labels()["stable"])
            repository.verify(repository.rollback_target() or 0)
        if collector.poll() is not None:
            break
    finish(collector)
    assert promoted
    assert all("no version" in refusal for refusal in refusals), refusals
    assert {*repository.labels().values(), repository.rollback_target()} <= set(repository.versions())


def test_who_must_wait_for_the_lock_waits(home, with_versions):
    repository = with_versions(1)
    released = threading.Event()
    order = []

    def promote() -> None:
        ModelRepository(home.models_folder).promote(1, **WHY)
        order.append("promoted")

    with exclusive(repository.serving_folder / "state.lock", "a test"):
        thread = threading.Thread(target=promote)
        thread.start()
        assert not released.wait(0.3)
        assert repository.labels() == {}, "readers wait for nobody"
        order.append("released")
    thread.join(30)
    assert order == ["released", "promoted"]


@pytest.mark.parametrize("method", ["promote", "retire"])
def test_a_change_after_a_failed_one_is_not_blocked(with_versions, method):
    repository = with_versions(1, 2)
    for _ in range(3):
        with pytest.raises(ModelRepositoryError):
            getattr(repository, method)(7, **WHY)
    repository.promote(1, **WHY)
