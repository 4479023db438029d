"""check starts again what is broken, and nothing else."""

from __future__ import annotations

import os
import signal

import pytest

from tests.operations.supervision.conftest import Site, by_name, gone
from tests.support.waiting import wait_for
from tidzam_platform.errors import BusyError
from tidzam_platform.files import exclusive
from tidzam_platform.operations.supervision.configuration import SOCKET
from tidzam_platform.operations.supervision.remote import SupervisorClient
from tidzam_platform.operations.supervision.trees import age_s, memory_share


@pytest.fixture
def running(site: Site) -> tuple[Site, dict[str, int]]:
    """The engine, and web that needs it, both ready; their process numbers."""
    site.actor("engine", ready_s=5)
    site.actor("web", needs=("engine",), ready_s=5)
    reports = site.supervision.start()
    assert all(report.ok for report in reports)
    return site, {report.name: report.pid for report in reports}


def test_all_is_well_and_nothing_is_touched(running: tuple[Site, dict[str, int]]) -> None:
    site, pids = running
    reports = site.supervision.check()
    assert [(one.name, one.state, one.did, one.ok, one.pid) for one in reports] == [
        ("engine", "ready", "", True, pids["engine"]),
        ("web", "ready", "", True, pids["web"]),
    ]


def test_one_that_is_not_ready_any_more_is_started_again_and_no_other(
    running: tuple[Site, dict[str, int]],
) -> None:
    site, pids = running
    site.get("engine", "/break")
    reports = by_name(site.supervision.check())
    assert reports["engine"].ok
    assert reports["engine"].did == "restarted"
    assert "not ready though" in reports["engine"].why
    assert "503" in reports["engine"].why
    assert reports["engine"].pid != pids["engine"]
    assert (reports["web"].did, reports["web"].pid) == ("", pids["web"])
    assert any(line.startswith("engine: it is not ready") for line in site.said), "it says so"


def test_one_that_hangs_is_started_again(running: tuple[Site, dict[str, int]]) -> None:
    site, pids = running
    site.actor("web", needs=("engine",), ready_s=5, stop_s=1)
    site.supervision.start()
    (pid,) = [one.pid for one in site.supervision.check(["web"])]
    os.kill(pid, signal.SIGSTOP)
    (report,) = site.supervision.check(["web"])
    assert report.ok
    assert report.did == "restarted"
    assert gone(pid)
    assert not gone(pids["engine"])


@pytest.mark.usefixtures("no_second_try")
def test_one_that_was_given_up_is_started_again(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    licence = tmp_path_factory.mktemp("licences") / "licence"
    site.actor("engine", "--die-unless", str(licence))
    site.actor("web", needs=("engine",))
    assert [report.ok for report in site.supervision.start()] == [False, False]
    again = by_name(site.supervision.check())
    assert not again["engine"].ok
    assert "the licence is missing" in again["engine"].problem
    assert "it is dead" in again["engine"].why
    assert again["web"].problem == "not looked at: it needs engine"
    licence.touch()
    mended = by_name(site.supervision.check())
    assert {name: (one.ok, one.did) for name, one in mended.items()} == {
        "engine": (True, "restarted"),
        "web": (True, "restarted"),
    }


def test_one_that_grew_too_large_is_started_again(running: tuple[Site, dict[str, int]]) -> None:
    site, pids = running
    allowed = memory_share(pids["engine"]) * 2
    assert 0 < allowed < 0.1
    supervision = site.settings.supervision.model_copy(update={"max_memory_share": allowed})
    site.settings = site.settings.model_copy(update={"supervision": supervision})
    assert {one.did for one in site.supervision.check()} == {""}
    site.get("engine", "/grow?200")
    reports = by_name(site.supervision.check())
    assert (reports["engine"].ok, reports["engine"].did) == (True, "restarted")
    assert "of the memory" in reports["engine"].why
    assert reports["web"].pid == pids["web"]


def test_one_that_is_still_young_is_waited_for(site: Site) -> None:
    site.actor("engine", ready_s=20)
    site.actor("web")
    site.supervision.start(["web"])
    site.actor("engine", "--delay-s", "3", ready_s=20)
    site.supervision.start(["web"])
    SupervisorClient(site.settings.home / SOCKET).start("engine")
    (site.settings.run_folder / "wanted.json").write_text('["engine", "web"]')
    reports = by_name(site.supervision.check())
    assert (reports["engine"].ok, reports["engine"].did) == (True, "")
    assert any(line.startswith("engine: waiting for it") for line in site.said)


def test_what_was_stopped_stays_stopped(running: tuple[Site, dict[str, int]]) -> None:
    site, pids = running
    site.supervision.stop(["web"])
    assert [(one.name, one.pid) for one in site.supervision.check()] == [("engine", pids["engine"])]
    assert site.supervision.check(["web"]) == []


def test_where_nothing_was_started_nothing_is_looked_at_or_made(site: Site) -> None:
    site.actor("engine")
    assert site.supervision.check() == []
    assert not site.settings.run_folder.exists()


def test_a_supervisor_that_was_killed_is_told_and_not_started(running: tuple[Site, dict[str, int]]) -> None:
    site, _ = running
    os.kill(site.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: not site.alive(), "the processes end with their supervisor")
    reports = site.supervision.check()
    assert [(one.name, one.state, one.ok) for one in reports] == [
        ("engine", "dead", False),
        ("web", "dead", False),
    ]
    assert all("./tidzam start" in one.problem for one in reports)
    assert not site.alive()


def test_it_does_not_disturb_another_command(running: tuple[Site, dict[str, int]]) -> None:
    site, _ = running
    with exclusive(site.settings.locks_folder / "supervision.lock", "a test"), pytest.raises(BusyError):
        site.supervision.check()


def test_the_age_of_a_process_is_counted_from_its_start() -> None:
    began = age_s(os.getpid())
    assert 0 < began < 86_400
    assert 0 <= age_s(os.getpid()) - began < 60
    assert age_s(1) > began or os.getpid() == 1
    assert age_s(1 << 30) == 0.0
