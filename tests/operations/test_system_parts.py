"""System parts: found where Debian puts them, named with what they are for and how they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.parts import require_part
from tidzam_platform.operations import system_parts
from tidzam_platform.operations.system_parts import (
    PARTS,
    USER_PARTS,
    SystemPart,
    install_command,
    missing_parts,
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _program(folder: Path, name: str, says: str = "", code: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    program.chmod(0o755)
    return program


def _part(**more: object) -> SystemPart:
    given = {"name": "horn", "program": "horn", "package": "horn-tools", "kind": "useful"}
    return SystemPart(**{**given, "needed_for": "x", "without": "y", **more})  # type: ignore[arg-type]


def test_a_part_is_there_when_its_program_is_on_the_path(path: Path) -> None:
    assert _part().find() is None
    program = _program(path, "horn")
    assert _part().find() == program
    assert missing_parts([_part(), _part(name="other", program="other")]) == [
        _part(name="other", program="other")
    ]


def test_a_part_off_the_path_is_found_in_its_newest_version(path: Path, tmp_path: Path) -> None:
    for version in ("9", "15", "14"):
        _program(tmp_path / "lib" / version / "bin", "horn")
    part = _part(folders=(f"{str(tmp_path)[1:]}/lib/*/bin",))
    assert part.find() == tmp_path / "lib" / "15" / "bin" / "horn"


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("ffmpeg version 5.1.6-0+deb12u1 Copyright (c) 2000-2024", "5.1.6"),
        ("jackdmp 1.9.21\nCopyright 2001-2005 Paul Davis", "1.9.21"),
        ("Icecast 2.4.4", "2.4.4"),
        ("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", "15.13"),
        ("nothing that looks like one", ""),
    ],
)
def test_the_version_is_what_the_program_says_of_itself(path: Path, says: str, version: str) -> None:
    _program(path, "horn", says, code=1)  # some fail after they said it
    assert _part().version() == version


def test_a_part_that_is_missing_has_no_version(path: Path) -> None:
    assert _part().version() == ""


def test_every_installed_part_of_the_table_tells_its_version() -> None:
    require_part("ffmpeg")
    installed = [part for part in PARTS if part.find() is not None]
    assert "ffmpeg" in [part.name for part in installed]
    assert {part.name for part in installed if not part.version()} == set()


def test_the_command_installs_debian_packages_with_sudo_for_those_who_are_not_root(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(path, "apt-get")
    command = "apt-get install --no-install-recommends ffmpeg mpv jackd2 icecast2 opus-tools"
    monkeypatch.setattr(system_parts.os, "geteuid", lambda: 1000)
    assert install_command(USER_PARTS) == f"sudo {command}"
    monkeypatch.setattr(system_parts.os, "geteuid", lambda: 0)
    assert install_command(USER_PARTS) == command


def test_where_there_is_no_apt_the_packages_are_named(path: Path) -> None:
    assert install_command([_part()]) == "with your system's package manager: horn-tools"


def test_the_table_names_every_part_once_and_says_what_it_is_for() -> None:
    names = [part.name for part in PARTS]
    assert len(names) == len(set(names))
    assert all(part.needed_for and part.without for part in PARTS)
    assert "postgresql" not in [part.name for part in USER_PARTS]
