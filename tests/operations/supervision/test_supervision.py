"""start, stop and restart on small real processes."""

from __future__ import annotations

import os
import stat
import time

import psutil
import pytest

from tests.operations.supervision.conftest import Site, by_name, gone
from tests.support.waiting import wait_for
from tidzam_platform.errors import BusyError, InvalidNameError, ProcessError, SettingsError
from tidzam_platform.files import exclusive
from tidzam_platform.operations.supervision.configuration import CONFIGURATION, SOCKET
from tidzam_platform.operations.supervision.hopeless import HOPELESS_CODE
from tidzam_platform.operations.supervision.probes import HttpProbe
from tidzam_platform.operations.supervision.remote import SupervisorClient
from tidzam_platform.operations.supervision.standing import what_comes_of
from tidzam_platform.operations.supervision.supervision import Supervision
from tidzam_platform.operations.supervision.table import ProcessDefinition, ProcessTable


def three(site: Site) -> None:
    """Web needs the engine; dagster needs nobody."""
    site.actor("web", needs=("engine",))
    site.actor("engine", "--delay-s", "0.5")
    site.actor("dagster")


def test_start_waits_until_all_are_ready_in_the_order_of_their_needs(site: Site) -> None:
    three(site)
    reports = by_name(site.supervision.start())
    assert set(reports) == {"web", "engine", "dagster"}
    assert all(
        report.ok and report.state == "ready" and report.did == "started" for report in reports.values()
    )
    for name in reports:
        assert site.world(name)["environment"]["SUPERVISOR_PROCESS_NAME"] == name, (
            "ready means that it answers"
        )
        assert not gone(reports[name].pid)
    told = [line for line in site.said if line.startswith(("engine: ready", "web: starting"))]
    assert [line.partition(":")[0] for line in told] == ["engine", "web"]
    assert site.supervision.wanted == ("engine", "dagster", "web") or set(site.supervision.wanted) == set(
        reports
    )


def test_starting_twice_is_fine_and_changes_nothing(site: Site) -> None:
    three(site)
    first = by_name(site.supervision.start())
    supervisor = site.supervisor_pid()
    second = by_name(site.supervision.start())
    assert {name: one.pid for name, one in second.items()} == {name: one.pid for name, one in first.items()}
    assert {one.did for one in second.values()} == {""}
    assert all(one.ok for one in second.values())
    assert site.supervisor_pid() == supervisor
    assert "web: runs already" in site.said


def test_start_of_one_starts_what_it_needs_and_no_more(site: Site) -> None:
    three(site)
    assert [report.name for report in site.supervision.start(["web"])] == ["engine", "web"]
    assert set(site.supervision.running()) == {"engine", "web"}


def test_stop_ends_all_in_reverse_order_and_supervisor_too(site: Site) -> None:
    three(site)
    site.supervision.start()
    site.said.clear()
    reports = site.supervision.stop()
    assert all(report.ok and report.state == "stopped" and report.did == "stopped" for report in reports)
    stopping = [line.partition(":")[0] for line in site.said if line.endswith(": stopping")]
    assert stopping.index("web") < stopping.index("engine")
    assert site.supervision.wanted == ()
    site.assert_nothing_is_left()


def test_stop_of_one_ends_what_needs_it_first_and_leaves_the_rest(site: Site) -> None:
    three(site)
    before = by_name(site.supervision.start())
    assert [report.name for report in site.supervision.stop(["engine"])] == ["web", "engine"]
    assert site.supervision.running() == ("dagster",)
    assert site.supervision.wanted == ("dagster",)
    assert not gone(before["dagster"].pid)
    site.supervision.stop(["dagster"])
    site.assert_nothing_is_left()


def test_stop_where_nothing_runs_is_fine(site: Site) -> None:
    three(site)
    assert all(report.ok and report.state == "stopped" for report in site.supervision.stop())


def test_restart_of_one_restarts_what_needs_it_and_leaves_the_rest(site: Site) -> None:
    three(site)
    before = by_name(site.supervision.start())
    reports = by_name(site.supervision.restart(["engine"]))
    assert {name: one.did for name, one in reports.items()} == {"engine": "restarted", "web": "restarted"}
    after = by_name(site.supervision.start())
    assert after["dagster"].pid == before["dagster"].pid
    assert after["engine"].pid != before["engine"].pid
    assert after["web"].pid != before["web"].pid


def test_restart_starts_no_dependant_that_was_not_running(site: Site) -> None:
    three(site)
    site.supervision.start(["engine"])
    assert [report.name for report in site.supervision.restart(["engine"])] == ["engine"]


def test_restart_where_nothing_runs_starts(site: Site) -> None:
    three(site)
    reports = site.supervision.restart(["web"])
    assert {report.name: report.did for report in reports} == {"engine": "started", "web": "started"}


def test_a_process_that_dies_is_told_with_its_log_and_what_needs_it_is_not_started(site: Site) -> None:
    site.actor("engine", "--die")
    site.actor("web", needs=("engine",))
    site.actor("dagster")
    reports = by_name(site.supervision.start())
    assert (reports["engine"].state, reports["engine"].ok) == ("dead", False)
    assert "the licence is missing" in reports["engine"].problem
    assert "engine.log" in reports["engine"].problem
    assert (reports["web"].state, reports["web"].problem) == (
        "stopped",
        "it was not started: it needs engine",
    )
    assert reports["dagster"].ok, "what does not need it runs"
    assert any("the licence is missing" in line for line in site.said)


def test_a_process_that_cannot_start_is_told_once_and_left_alone(site: Site) -> None:
    site.actor("engine", "--die-late", str(HOPELESS_CODE))
    began_s = time.monotonic()
    (report,) = site.supervision.start()
    assert time.monotonic() - began_s < 20
    assert (report.state, report.ok) == ("dead", False)
    assert report.problem.startswith("it cannot start (exit code 78): somebody else has the port\n")
    assert report.problem.count("somebody else has the port") == 1
    log = site.log("engine")
    info = SupervisorClient(site.settings.home / SOCKET).info("engine")
    assert (info.state, info.is_given_up) == ("EXITED", True)
    time.sleep(1.5)  # Supervisor looks once a second
    assert site.log("engine") == log
    assert what_comes_of(site.settings.home, "engine").startswith("it was given up")


def test_any_other_end_is_followed_by_another_start(site: Site) -> None:
    site.actor("engine", "--die-late", str(SettingsError.exit_code))
    (report,) = site.supervision.start()
    assert not report.ok
    wait_for(lambda: site.log("engine").count("somebody else has the port") > 1, "it is started again", 20)


@pytest.mark.long
def test_a_process_that_ends_again_and_again_though_not_at_once_is_given_up(site: Site) -> None:
    site.actor("engine", "--die-late", "1", ready_s=60)
    (report,) = site.supervision.start()
    assert (report.state, report.ok) == ("dead", False)
    assert report.problem.count("somebody else has the port") == 1
    wait_for(lambda: site.supervision.running() == (), "it is not started again")


def test_a_process_that_never_becomes_ready_is_told_with_what_it_said(site: Site) -> None:
    site.actor("engine", "--idle", ready_s=2)
    began_s = time.monotonic()
    (report,) = site.supervision.start()
    assert time.monotonic() - began_s < 30
    assert (report.state, report.ok) == ("not ready", False)
    assert "not ready after 2 s" in report.problem
    assert "does not listen" in report.problem
    assert "waiting for better times" in report.problem
    assert not gone(report.pid), "it is left for somebody to look at"


def test_the_log_of_an_earlier_run_is_not_taken_for_the_reason(site: Site) -> None:
    site.settings.logs_folder.mkdir()
    (site.settings.logs_folder / "engine.log").write_text("an old sorrow\n")
    site.actor("engine", "--idle", ready_s=2)
    (report,) = site.supervision.start()
    assert "an old sorrow" not in report.problem
    assert "waiting for better times" in report.problem


def test_another_program_on_the_port_is_not_taken_for_the_process(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site.actor("web")
    site.supervision.start()
    definition = site.definitions["web"]
    other = Supervision(
        site.settings.model_copy(update={"home": tmp_path_factory.mktemp("other")}),
        ProcessTable(
            [ProcessDefinition("web", (*definition.command, "--idle"), definition.probe, ready_s=2, stop_s=2)]
        ),
    )
    try:
        (report,) = other.start()
        assert not report.ok
        assert definition.probe.ask(5).ready, "the first one answers there"
    finally:
        other.stop()


def test_changed_settings_restart_what_reads_them_and_what_needs_that(site: Site) -> None:
    three(site)
    site.actor("model-server")
    before = by_name(site.supervision.start())
    site.actor("engine", settings={"ring_s": 20})
    after = by_name(site.supervision.start())
    assert {name: one.did for name, one in after.items()} == {
        "engine": "restarted",
        "web": "restarted",
        "dagster": "",
        "model-server": "",
    }
    assert after["dagster"].pid == before["dagster"].pid
    assert "engine: its settings changed" in site.said
    assert all(one.ok for one in after.values())


def test_a_process_that_left_the_table_is_stopped_and_one_that_came_is_started(site: Site) -> None:
    three(site)
    before = by_name(site.supervision.start())
    del site.definitions["dagster"]
    site.actor("model-server")
    after = by_name(site.supervision.start())
    assert set(after) == {"web", "engine", "model-server"}
    assert after["web"].pid == before["web"].pid
    assert gone(before["dagster"].pid)


def test_a_process_that_dies_later_is_started_again_without_anybody(site: Site) -> None:
    site.actor("engine")
    (before,) = site.supervision.start()
    client = SupervisorClient(site.settings.home / SOCKET)
    end_s = time.monotonic() + 20
    while client.info("engine").state != "RUNNING":  # what dies sooner is tried with pauses
        assert time.monotonic() < end_s
        time.sleep(0.05)
    assert what_comes_of(site.settings.home, "dagster") == ""
    psutil.Process(before.pid).kill()
    assert what_comes_of(site.settings.home, "engine").startswith("it is being started again")
    while client.info("engine").pid in (0, before.pid):
        assert time.monotonic() < end_s
        time.sleep(0.05)
    (after,) = site.supervision.start()
    assert after.ok
    assert after.did == "", "Supervisor has started it"


def test_environment_and_rights(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDZAM_DATABASE_URL", "postgresql://anna:hunter2@127.0.0.1:1/tidzam")
    site.actor("engine")
    (report,) = site.supervision.start()
    environment = site.world("engine")["environment"]
    assert environment["TIDZAM_HOME"] == str(site.settings.home)
    assert environment["TIDZAM_DATABASE_URL"].endswith("hunter2@127.0.0.1:1/tidzam")
    for pid in (report.pid, site.supervisor_pid()):
        assert not [part for part in psutil.Process(pid).cmdline() if "hunter2" in part]
    assert "hunter2" not in (site.settings.home / CONFIGURATION).read_text()
    assert "hunter2" not in (site.settings.logs_folder / "supervisord.log").read_text()
    assert stat.S_IMODE(site.settings.run_folder.stat().st_mode) == 0o700
    assert not [
        one for one in psutil.Process(site.supervisor_pid()).net_connections() if one.status == "LISTEN"
    ]


def test_warnings_that_are_errors_for_others_do_not_stop_supervisor(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    site.actor("engine")
    assert [report.ok for report in site.supervision.start()] == [True]
    assert [report.ok for report in site.supervision.check()] == [True]


def test_supervisor_is_a_daemon_of_its_own(site: Site) -> None:
    site.actor("engine")
    site.supervision.start()
    supervisor = psutil.Process(site.supervisor_pid())
    assert os.getsid(supervisor.pid) == supervisor.pid
    assert supervisor.ppid() != os.getpid()
    assert supervisor.cwd() == str(site.settings.home)


def test_one_command_at_a_time(site: Site) -> None:
    site.actor("engine")
    with exclusive(site.settings.locks_folder / "supervision.lock", "a test"):
        for command in (site.supervision.start, site.supervision.stop, site.supervision.restart):
            with pytest.raises(BusyError, match="another start, stop, restart or check"):
                command()
    assert not site.supervision.is_running()


def test_unknown_names_start_nothing(site: Site) -> None:
    site.actor("engine")
    for command in (
        site.supervision.start,
        site.supervision.stop,
        site.supervision.restart,
        site.supervision.check,
    ):
        with pytest.raises(InvalidNameError, match="'motor': choose of engine"):
            command(["engine", "motor"])
    assert not site.supervision.is_running()


def test_a_port_that_nobody_could_find_is_refused_before_anything_starts(site: Site) -> None:
    site.definitions["web"] = ProcessDefinition("web", ("/bin/true",), HttpProbe("127.0.0.1", 0, "/"))
    for command in (site.supervision.start, site.supervision.restart):
        with pytest.raises(SettingsError, match=r"web would listen on port 0"):
            command()
    assert not site.supervision.is_running()


def test_logs_are_rotated(site: Site) -> None:
    site.settings = site.settings.model_copy(
        update={"supervision": site.settings.supervision.model_copy(update={"log_mb": 1, "log_files": 2})}
    )
    site.actor("engine")
    site.supervision.start()
    site.get("engine", "/say?5")
    end_s = time.monotonic() + 30
    logs = site.settings.logs_folder
    while not (logs / "engine.log.2").exists():
        assert time.monotonic() < end_s
        time.sleep(0.05)
    assert not (logs / "engine.log.3").exists()
    assert (logs / "engine.log.1").stat().st_size < 2 << 20


def test_the_run_folder_of_another_user_is_refused(site: Site) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    site.actor("engine")
    site.settings.run_folder.mkdir()
    os.chown(site.settings.run_folder, 65534, 65534)
    with pytest.raises(ProcessError, match="another user"):
        site.supervision.start()
    os.chown(site.settings.run_folder, 0, 0)
