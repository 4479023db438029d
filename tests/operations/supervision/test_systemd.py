"""The units of systemd call commands that are there, in time limits that fit, with settings that are known."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from tidzam_platform.cli.main import cli
from tidzam_platform.errors import BusyError
from tidzam_platform.operations.supervision.processes import process_table
from tidzam_platform.settings import PROJECT_ROOT, Settings
from tidzam_platform.variables import require_known_variables

FOLDER = PROJECT_ROOT / "deploy" / "systemd"
INSTALLED = "/opt/tidzam"
SERVICES = ("tidzam@.service", "tidzam-check@.service")
UNITS = (*SERVICES, "tidzam-check@.timer")


def read_unit(name: str) -> dict[str, list[str]]:
    """Values by ``Section.Key``; a key may stand there more than once."""
    values: dict[str, list[str]] = {}
    section = ""
    for line in (FOLDER / name).read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        else:
            key, separator, value = line.partition("=")
            assert separator, f"{name}: {line!r} is no assignment"
            assert key.isalnum(), f"{name}: {line!r} is no assignment"
            values.setdefault(f"{section}.{key}", []).append(value)
    return values


def seconds(span: str) -> int:
    match = re.fullmatch(r"([0-9]+)(s|min)", span)
    assert match, span
    return int(match[1]) * (60 if match[2] == "min" else 1)


def test_every_unit_is_looked_at() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(UNITS)


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd here; the other tests parse the units"
)
@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    for unit in UNITS:
        (tmp_path / unit).write_text((FOLDER / unit).read_text().replace(INSTALLED, str(PROJECT_ROOT)))
    instance = name.replace("@", "@marsh")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", instance],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_it_calls_a_command_that_is_there(name: str) -> None:
    (line,) = read_unit(name)["Service.ExecStart"]
    program, command, *options = shlex.split(line)
    assert program == f"{INSTALLED}/tidzam"
    assert (PROJECT_ROOT / "tidzam").exists()
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    assert set(options) <= {option for parameter in found.params for option in parameter.opts}


@pytest.mark.parametrize("name", SERVICES)
def test_its_settings_are_known_and_its_data_folder_may_be_written_to(name: str) -> None:
    unit = read_unit(name)
    environment = dict(
        pair.split("=", 1) for line in unit["Service.Environment"] for pair in shlex.split(line)
    )
    require_known_variables(Settings, environment)
    (state,) = unit["Service.StateDirectory"]
    assert environment["TIDZAM_HOME"] == f"/var/lib/{state}"
    assert unit["Service.WorkingDirectory"] == [environment["TIDZAM_HOME"]]
    assert unit["Service.EnvironmentFile"] == ["-/etc/tidzam/%i.env"]


def test_both_services_are_the_same_user_on_the_same_data() -> None:
    first, second = map(read_unit, SERVICES)
    for key in ("User", "Group", "UMask", "Environment", "EnvironmentFile", "StateDirectory"):
        assert first[f"Service.{key}"] == second[f"Service.{key}"], key
    assert first["Service.User"] != ["root"]


@pytest.mark.parametrize("name", SERVICES)
def test_it_may_do_little(name: str) -> None:
    unit = read_unit(name)
    assert unit["Service.ProtectSystem"] == ["strict"]
    assert unit["Service.NoNewPrivileges"] == ["yes"]
    assert unit["Service.CapabilityBoundingSet"] == [""]
    assert unit["Service.SystemCallFilter"] == ["@system-service"]
    assert "Service.MemoryDenyWriteExecute" not in unit, "Numba and TensorFlow compile code"


def test_its_time_limits_leave_every_process_its_time(home: Settings) -> None:
    unit = read_unit(SERVICES[0])
    table = process_table(home)
    (start,), (stop,) = unit["Service.TimeoutStartSec"], unit["Service.TimeoutStopSec"]
    assert seconds(start) > sum(table[name].ready_s for name in table.names)
    assert seconds(stop) > sum(table[name].stop_s + 12 for name in table.names)
    (check,) = read_unit(SERVICES[1])["Service.TimeoutStartSec"]
    assert seconds(check) >= seconds(start)


def test_the_first_process_ends_the_others_and_tells_when_it_is_ready() -> None:
    unit = read_unit(SERVICES[0])
    assert unit["Service.KillMode"] == ["mixed"]
    assert unit["Service.Type"] == ["notify"]
    assert unit["Install.Also"] == ["tidzam-check@%i.timer"]


def test_a_check_that_comes_while_another_command_works_is_no_failure() -> None:
    assert read_unit(SERVICES[1])["Service.SuccessExitStatus"] == [str(BusyError.exit_code)]


@pytest.mark.parametrize("name", SERVICES)
def test_the_page_that_it_names_is_there(name: str) -> None:
    (page,) = read_unit(name)["Unit.Documentation"]
    assert (PROJECT_ROOT / page.removeprefix(f"file://{INSTALLED}/")).exists()
