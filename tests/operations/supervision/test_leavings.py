"""However processes and their supervisor end, nothing is left behind, and the next start is not disturbed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.operations.supervision.actor import STUBBORN
from tests.operations.supervision.conftest import Site, by_name, gone, make_site
from tests.support.waiting import wait_for
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.supervision import remote
from tidzam_platform.operations.supervision.configuration import PID_FILE, SOCKET
from tidzam_platform.operations.supervision.trees import MARK_VARIABLE, mark, marked


def test_a_process_that_ignores_sigterm_is_killed(site: Site) -> None:
    site.actor("engine", "--deaf", stop_s=1)
    (started,) = site.supervision.start()
    began_s = time.monotonic()
    (report,) = site.supervision.stop()
    assert 1 <= time.monotonic() - began_s < 15
    assert (report.state, report.did, report.ok) == ("stopped", "killed", True)
    assert "did not end within 1 s" in report.why
    assert gone(started.pid)


def test_children_in_sessions_of_their_own_are_ended_too(site: Site) -> None:
    site.actor("engine")
    site.actor("web")
    site.supervision.start()
    child = int(site.get("engine", "/leave"))
    other = int(site.get("web", "/leave"))
    assert not gone(child)
    assert not gone(other)
    (report,) = site.supervision.stop(["engine"])
    assert report.did == "killed"
    assert "left children behind" in report.why
    wait_for(lambda: gone(child), "the child is gone")
    assert not gone(other), "that of another process is left alone"


def test_children_of_a_process_that_died_are_ended_by_stop(site: Site) -> None:
    site.actor("engine")
    site.supervision.start()
    child = int(site.get("engine", "/leave"))
    with pytest.raises(OSError, match=r".*"):
        site.get("engine", "/die")
    assert not gone(child)
    site.supervision.stop()
    wait_for(lambda: gone(child), "the child is gone")


def test_processes_end_with_a_supervisor_that_is_killed_and_start_again(site: Site) -> None:
    site.actor("engine")
    site.actor("web", needs=("engine",))
    before = by_name(site.supervision.start())
    supervisor = site.supervisor_pid()
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not site.alive(), "they are asked to end")
    assert (site.settings.home / SOCKET).exists()
    assert (site.settings.home / PID_FILE).exists()
    assert not site.supervision.is_running()
    site.said.clear()
    after = by_name(site.supervision.start())
    assert all(report.ok for report in after.values())
    assert after["web"].pid != before["web"].pid
    assert (
        f"the Supervisor before (process {supervisor}) did not end in order: its leavings are removed"
        in site.said
    )


def test_what_survives_a_killed_supervisor_is_ended_before_the_next_start(site: Site) -> None:
    site.actor("engine", "--deaf", stop_s=1)
    (before,) = site.supervision.start()
    os.kill(site.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: not site.supervision.is_running(), "the supervisor is gone")
    assert not gone(before.pid), "it ignores SIGTERM, and holds the port"
    (after,) = site.supervision.start()
    assert after.ok
    assert gone(before.pid)
    assert any("that a Supervisor left behind" in line for line in site.said)


def test_a_supervisor_that_hangs_is_told_with_what_to_do(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.actor("engine")
    site.supervision.start()
    pid = site.supervisor_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(remote, "_TIMEOUT_S", 0.5)
        for command in (site.supervision.start, site.supervision.stop, site.supervision.check):
            with pytest.raises(ProcessError, match=r"does not answer .* kill it"):
                command()
        monkeypatch.undo()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert site.supervision.is_running()


def test_stop_finds_what_a_killed_supervisor_left(site: Site) -> None:
    site.actor("engine", "--deaf", stop_s=1)
    (before,) = site.supervision.start()
    os.kill(site.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: not site.supervision.is_running(), "the supervisor is gone")
    site.supervision.stop()
    assert gone(before.pid)
    assert site.supervision.wanted == ()
    site.assert_nothing_is_left()


def test_stale_files_after_a_reboot_do_not_disturb(site: Site) -> None:
    """The number is another process's by then, the socket is nobody's."""
    site.actor("engine")
    site.settings.run_folder.mkdir()
    (site.settings.home / PID_FILE).write_text(f"{os.getpid()}\n")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.settings.home / SOCKET))
    (site.settings.home / f"{SOCKET}.12345").touch()
    (site.settings.run_folder / "wanted.json").write_text('["engine"')
    (report,) = site.supervision.start()
    assert report.ok
    assert not (site.settings.home / f"{SOCKET}.12345").exists()


@pytest.mark.parametrize("number", ["", "x", "-1", "999999999", "٣"])
def test_a_damaged_process_number_does_not_disturb(site: Site, number: str) -> None:
    site.actor("engine")
    site.settings.run_folder.mkdir()
    (site.settings.home / PID_FILE).write_text(number)
    assert [report.ok for report in site.supervision.start()] == [True]


@pytest.mark.parametrize("name", ["deep" * 30, "a home; with #odd %(here)s 'names' \"and\" \\ é"])
def test_a_home_may_be_deep_and_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "home"
    assert len(os.fsencode(folder / SOCKET)) > 107 or ";" in name
    site = make_site(folder)
    site.actor("engine", settings={"home": str(folder)})
    try:
        (report,) = site.supervision.start()
        assert report.ok
        assert site.world("engine")["environment"]["TIDZAM_HOME"] == str(folder)
        assert (folder / SOCKET).is_socket()
        assert [one.did for one in site.supervision.restart()] == ["restarted"]
        assert [one.ok for one in site.supervision.check()] == [True]
    finally:
        site.supervision.stop()
    site.assert_nothing_is_left()


def test_homes_do_not_see_each_other(tmp_path: Path) -> None:
    one, other = make_site(tmp_path / "one"), make_site(tmp_path / "other")
    one.actor("engine")
    other.actor("engine")
    try:
        one.supervision.start()
        (kept,) = other.supervision.start()
        one.supervision.stop()
        one.assert_nothing_is_left()
        assert not gone(kept.pid)
        assert [report.ok for report in other.supervision.check()] == [True]
    finally:
        one.supervision.stop()
        other.supervision.stop()
    other.assert_nothing_is_left()


def test_who_ends_a_tree_that_it_is_in_ends_the_others() -> None:
    """As the web process does whose API restarts it."""
    program = (
        "import os, subprocess, sys; from tidzam_platform.operations.supervision.trees import end, tree\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print([one.pid for one in end(tree(os.getpid()), 0.1)] == [child.pid], child.wait(10))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, STUBBORN], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == ["True", str(-signal.SIGKILL)]


def test_who_gives_the_command_is_not_taken_for_something_left(tmp_path: Path) -> None:
    """A supervised process, such as the web process, may call ./tidzam stop."""
    program = (
        "import sys; from pathlib import Path; from tidzam_platform.operations.supervision.trees import marked\n"
        "print([process.pid for process in marked(Path(sys.argv[1]))])"
    )
    environment = {**os.environ, MARK_VARIABLE: mark(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", STUBBORN], env=environment, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}, sys.argv[1]], check=True)"
        found = subprocess.run(
            [sys.executable, "-c", nested, str(tmp_path)],
            env=environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert found.stdout.strip() == str([other.pid])
        assert [process.pid for process in marked(tmp_path)] == [other.pid]
        assert marked(tmp_path, "engine") == []
        other.kill()
