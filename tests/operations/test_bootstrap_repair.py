"""``./tidzam`` interrupted, damaged, moved or called twice at once: the next call puts it right."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_project import BUILD_GATE, TinyProject, finish
from tests.support.waiting import wait_for

MOMENTS = ("set-up.begun", "set-up.emptied", "set-up.made", "set-up.installed", "set-up.parts")


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that lets builds go on once it is there."""
    return tmp_path / "gate"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_set_up_killed_at_any_step_is_repaired_by_the_next_call(project: TinyProject, moment: str) -> None:
    killed = project.run("x", env={"TIDZAM_CRASH_AT": moment})
    assert killed.returncode == -signal.SIGKILL
    _works(project)


@pytest.mark.parametrize("moment", MOMENTS[:1] + MOMENTS[3:])
def test_an_update_killed_at_any_step_is_repaired_by_the_next_call(project: TinyProject, moment: str) -> None:
    project.run("x")
    project.write_pyproject(version="2.0")
    killed = project.run("x", env={"TIDZAM_CRASH_AT": moment})
    assert killed.returncode == -signal.SIGKILL
    assert json.loads(project.run("x").stdout)["version"] == "2.0"


def test_an_installer_dies_with_a_killed_set_up(project: TinyProject, gate: Path) -> None:
    started = project.start("x", env={BUILD_GATE: str(gate)})
    wait_for(lambda: project.builds() == 1, "the build begins")
    installer = _child_of(started.pid)
    started.kill()
    started.communicate()
    wait_for(lambda: not _lives(installer), "the installer is gone")
    assert project.stamp()["state"] == "installing"
    gate.touch()
    _works(project)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_set_up_that_is_stopped_ends_its_installer_and_the_next_call_goes_on(
    project: TinyProject, gate: Path, number: signal.Signals
) -> None:
    started = project.start("x", env={BUILD_GATE: str(gate)})
    wait_for(lambda: project.builds() == 1, "the build begins")
    installer = _child_of(started.pid)
    started.send_signal(number)
    stopped = finish(started)
    assert stopped.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in stopped.stderr
    wait_for(lambda: not _lives(installer), "the installer is gone")
    gate.touch()
    _works(project)


def test_of_two_calls_at_once_one_sets_up_and_the_other_waits_and_says_so(
    project: TinyProject, gate: Path
) -> None:
    first = project.start("first", env={BUILD_GATE: str(gate)})
    wait_for(lambda: project.builds() == 1, "the build begins")
    second = project.start("second")
    assert second.stderr is not None
    assert f"another ./tidzam (process {first.pid}) is setting up; waiting" in second.stderr.readline()
    gate.touch()
    for process, name in ((first, "first"), (second, "second")):
        finished = finish(process)
        assert finished.returncode == 0, finished.stderr
        assert json.loads(finished.stdout)["arguments"] == [name]
    assert project.builds() == 1


def test_a_half_made_environment_is_made_anew(project: TinyProject) -> None:
    (project.venv / "bin").mkdir(parents=True)
    (project.venv / "bin" / "python").write_text("")
    _works(project)


def test_an_environment_that_lost_its_interpreter_is_made_anew(project: TinyProject) -> None:
    project.run("x")
    for program in (project.venv / "bin").glob("python*"):
        program.unlink()
    _works(project)


def test_a_project_that_was_moved_gets_a_new_environment(project: TinyProject, tmp_path: Path) -> None:
    project.run("x")
    moved = TinyProject(tmp_path / "elsewhere", project.path)
    project.root.rename(moved.root)
    _works(moved)


def test_an_environment_that_was_made_otherwise_is_used_as_it_is(project: TinyProject) -> None:
    keepsake = _make_foreign_venv(project)
    _works(project)
    assert keepsake.exists()


def test_an_environment_made_otherwise_is_made_anew_when_files_are_missing(project: TinyProject) -> None:
    keepsake = _make_foreign_venv(project)
    info = keepsake.parent / "lost-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lost\nVersion: 1.0\n")
    (info / "RECORD").write_text("lost.py,,\nlost-1.0.dist-info/METADATA,,\nlost-1.0.dist-info/RECORD,,\n")
    repaired = _works(project)
    assert "files are missing" in repaired.stderr
    assert not keepsake.exists()


def test_an_extra_stays_installed_through_later_updates(project: TinyProject) -> None:
    project.run("x")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\nfrom tidzam_platform.operations.set_up import set_up\n"
        "set_up(Path(sys.argv[1]), extras=['test'])"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(project.root)]
    subprocess.run(command, env=project.environment(), check=True, capture_output=True, timeout=60)
    assert project.stamp()["extras"] == ["test"]
    project.write_pyproject(version="2.0")
    assert json.loads(project.run("x").stdout)["version"] == "2.0"
    assert project.stamp()["extras"] == ["test"]


def _works(project: TinyProject) -> subprocess.CompletedProcess[str]:
    """A call succeeds, and the one after has nothing left to do."""
    repaired = project.run("works")
    assert repaired.returncode == 0, repaired.stderr
    assert json.loads(repaired.stdout)["prefix"] == str(project.venv)
    again = project.run("works")
    assert (again.stdout, again.stderr) == (repaired.stdout, "")
    return repaired


def _make_foreign_venv(project: TinyProject) -> Path:
    """An environment without our stamp; returns a file in it that a new environment would not have."""
    base = sys._base_executable  # type: ignore[attr-defined]
    subprocess.run([base, "-m", "venv", "--without-pip", project.venv], check=True, timeout=60)
    packages = next(project.venv.glob("lib/python*/site-packages"))
    keepsake = packages / "keepsake.py"
    keepsake.write_text("")
    return keepsake


def _child_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
