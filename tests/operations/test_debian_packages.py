"""Installing Debian packages: no questions, no started services, nothing left behind.

The package manager is a script that writes down how it was called: the real one would change this machine.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidzam_platform.operations import debian_packages
from tidzam_platform.operations.debian_packages import INSTALL_VARIABLE, Order, install, recover, refusal
from tidzam_platform.operations.steps import StepFailedError, Steps

RECORDER = """#!/bin/sh
echo "$(basename "$0") $* [$DEBIAN_FRONTEND $RUNLEVEL]" >> "$CALLS"
%s
"""


@dataclass(frozen=True)
class Machine:
    """A machine whose package manager and systemd are scripts."""

    folder: Path
    steps: Steps

    @property
    def record(self) -> Path:
        return self.folder / "record.json"

    @property
    def cluster_file(self) -> Path:
        return self.folder / "postgresql-common" / "createcluster.d" / "tidzam-set-up.conf"

    def script(self, name: str, body: str = "") -> None:
        program = self.folder / "path" / name
        program.write_text(RECORDER % body)
        program.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    path = tmp_path / "path"
    path.mkdir()
    (tmp_path / "calls").touch()
    for name in ("env", "sh", "basename", "mkdir", "tee", "rm", "rmdir", "cat", "test"):
        program = shutil.which(name)
        assert program is not None
        (path / name).symlink_to(program)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.delenv(INSTALL_VARIABLE, raising=False)
    monkeypatch.setattr(debian_packages.os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian_packages, "_systemd_runs", lambda: True)
    folder = tmp_path / "postgresql-common" / "createcluster.d"
    monkeypatch.setattr(debian_packages, "_CLUSTER_FOLDER", folder)
    monkeypatch.setattr(debian_packages, "_CLUSTER_FILE", folder / "tidzam-set-up.conf")
    with closing(Steps(tmp_path / "log", screen=io.StringIO())) as steps:
        made = Machine(tmp_path, steps)
        for name in ("apt-get", "debconf-set-selections", "systemctl", "dpkg"):
            made.script(name)
        yield made


def test_packages_are_installed_without_questions_and_recommendations(machine: Machine) -> None:
    install(Order(("ffmpeg", "mpv")), machine.steps, machine.record)
    update, fetch, unpack = machine.calls("apt-get")
    assert update.startswith("update ")
    assert "--download-only" in fetch
    for call in (fetch, unpack):
        assert call.startswith("install --yes --no-install-recommends ")
        assert call.endswith("ffmpeg mpv [noninteractive 1]")


def test_answers_to_debconf_are_given_before_the_packages_are_unpacked(machine: Machine) -> None:
    machine.script("debconf-set-selections", f'cat > "{machine.folder}/answers"')
    machine.script(
        "apt-get", f'case "$*" in *--download*|update*) ;; *) test -e "{machine.folder}/answers" ;; esac'
    )
    install(Order(("jackd2",), debconf=("jackd2 x boolean false",)), machine.steps, machine.record)
    assert (machine.folder / "answers").read_text() == "jackd2 x boolean false\n"


def test_services_are_masked_while_their_packages_come_and_disabled_after(machine: Machine) -> None:
    install(Order(("icecast2",), services=("icecast2.service",)), machine.steps, machine.record)
    calls = (machine.folder / "calls").read_text().splitlines()
    kept = [line.partition(" [")[0] for line in calls if "systemctl" in line or "recommends" in line]
    assert [line.split()[:2] for line in kept] == [
        ["apt-get", "install"],
        ["systemctl", "mask"],
        ["apt-get", "install"],
        ["systemctl", "unmask"],
        ["systemctl", "disable"],
    ]


def test_postgresql_makes_no_cluster_and_the_file_that_says_so_does_not_stay(machine: Machine) -> None:
    seen = machine.folder / "seen"
    machine.script(
        "apt-get", f'case "$*" in *--download*|update*) ;; *) cat "{machine.cluster_file}" > "{seen}" ;; esac'
    )
    install(Order(("postgresql",)), machine.steps, machine.record)
    assert "create_main_cluster = false" in seen.read_text()
    assert not machine.cluster_file.parent.parent.exists()
    assert not machine.record.exists()


def test_what_a_killed_installation_left_is_taken_back_once_the_package_manager_is_done(
    machine: Machine,
) -> None:
    seen = machine.folder / "seen"
    machine.script("apt-get", f'cat "{machine.cluster_file}" > "{seen}"')
    machine.cluster_file.parent.mkdir(parents=True)
    machine.cluster_file.write_text("create_main_cluster = false\n")
    machine.record.write_text(json.dumps({"services": ["icecast2.service"], "cluster_file": True}))
    recover(machine.steps, machine.record)
    (waited,) = machine.calls("apt-get")
    assert "DPkg::Lock::Timeout=" in waited
    assert seen.read_text(), "the package manager finds the file until it is done"
    assert not machine.cluster_file.exists()
    assert not machine.record.exists()
    assert [call.split()[0] for call in machine.calls("systemctl")] == ["unmask", "disable"]
    recover(machine.steps, machine.record)
    assert len(machine.calls("systemctl")) == 2


def test_a_failed_installation_is_an_error_that_leaves_nothing_behind(machine: Machine) -> None:
    machine.script("apt-get", 'echo "E: Unable to locate package"; exit 100')
    with pytest.raises(StepFailedError, match="Unable to locate package"):
        install(Order(("postgresql",), services=("postgresql.service",)), machine.steps, machine.record)
    assert not machine.cluster_file.parent.parent.exists()
    assert not machine.record.exists()


def test_old_package_lists_are_no_reason_to_fail(machine: Machine) -> None:
    machine.script("apt-get", 'test "$1" != update')
    install(Order(("mpv",)), machine.steps, machine.record)
    assert len(machine.calls("apt-get")) == 3


def test_an_interrupted_dpkg_is_let_finish_first(machine: Machine) -> None:
    done = machine.folder / "configured"
    machine.script(
        "apt-get",
        f'case "$*" in *--download*|update*) exit 0 ;; esac; test -e "{done}" || '
        "{ echo \"E: dpkg was interrupted, you must manually run 'dpkg --configure -a'\"; exit 100; }",
    )
    machine.script("dpkg", f'tee "{done}" < /dev/null')
    install(Order(("mpv",)), machine.steps, machine.record)
    assert [call.partition(" [")[0] for call in machine.calls("dpkg")] == ["--configure -a"]


def test_a_user_installs_through_sudo_where_it_asks_for_no_password(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian_packages.os, "geteuid", lambda: 1000)
    assert "sudo wants a password" in refusal()
    machine.script("sudo", 'shift; test "$1" = true || exec "$@"')
    assert refusal() == ""
    install(Order(("mpv",)), machine.steps, machine.record)
    assert all(call.startswith("-n ") for call in machine.calls("sudo"))
    assert machine.calls("apt-get")[-1].endswith("mpv [noninteractive 1]")


def test_nothing_is_installed_for_those_who_do_not_want_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal() == ""
    monkeypatch.setenv(INSTALL_VARIABLE, "no")
    assert refusal() == f"{INSTALL_VARIABLE}=no"


def test_systems_without_apt_are_told_so(machine: Machine) -> None:
    (machine.folder / "path" / "apt-get").unlink()
    assert refusal() == "this system has no apt-get"
