"""``./tidzam archive`` as people and scripts use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archive.made import make_recording
from tests.support.crash import cli_environment
from tests.support.data import shared_data
from tests.support.in_process import run_here
from tests.support.parts import require_part
from tidzam_platform.files import exclusive

# Runs the command line and says on standard error which files and programs it opens.
TELLING = """
import os, sys
def tell(event, arguments):
    if event in {"open", "os.posix_spawn", "subprocess.Popen", "os.exec"}:
        os.write(2, (f"{event} {arguments[0]!r}\\n").encode())
sys.addaudithook(tell)
from tidzam_platform.cli.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    require_part("ffmpeg")
    folder = tmp_path / "archive"
    make_recording(folder, "marsh-2026-04-01-23-59-59.wav", seconds=2.0, channels=2)
    make_recording(folder, "marsh-2026-04-03-05-00-00.wav")
    make_recording(folder, "river-2026-04-03-05-00-00.wav")
    (folder / "notes.txt").write_text("x")
    return folder


def _listed(home: Path, *options: str) -> list[str]:
    answer = run_here(["archive", "list", "--json", *options], home)
    assert answer.returncode == 0, answer.stderr
    return [Path(row["path"]).name for row in json.loads(answer.stdout)["recordings"]]


def test_the_answer_is_one_object_and_progress_goes_to_standard_error(archive: Path, tmp_path: Path) -> None:
    answer = run_here(["archive", "index", archive, "--json"], tmp_path / "home")
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert {key: report[key] for key in ("recordings", "added", "unchanged", "unusable", "ignored")} == {
        "recordings": 3,
        "added": 3,
        "unchanged": 0,
        "unusable": 0,
        "ignored": 1,
    }
    assert report["sources"] == ["marsh", "river"]
    assert report["days"] == ["2026-04-01", "2026-04-02", "2026-04-03"]
    assert report["channels"] == [1, 2]
    assert "indexing recordings (3)" in answer.stderr


def test_a_second_call_opens_no_recording_and_starts_no_program(archive: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", TELLING, "archive", "index", str(archive), "--json"]
    told = []
    for _ in range(2):
        run = subprocess.run(
            command,
            env=cli_environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        told.append([line for line in run.stderr.splitlines() if str(archive) in line or "ffprobe" in line])
    assert len(told[0]) >= 6  # three recordings, each opened and shown to ffprobe: the telling works
    assert told[1] == []
    assert json.loads(run.stdout)["unchanged"] == 3


def test_days_are_included_at_both_ends(archive: Path, tmp_path: Path) -> None:
    run_here(["archive", "index", archive], tmp_path)
    over_midnight, marsh, river = (
        "marsh-2026-04-01-23-59-59.wav",
        "marsh-2026-04-03-05-00-00.wav",
        "river-2026-04-03-05-00-00.wav",
    )
    assert _listed(tmp_path) == [over_midnight, marsh, river]
    assert _listed(tmp_path, "--to", "2026-04-01") == [over_midnight]
    assert _listed(tmp_path, "--from", "2026-04-02", "--to", "2026-04-02") == [over_midnight]
    assert _listed(tmp_path, "--from", "2026-04-03", "--to", "2026-04-03") == [marsh, river]
    assert _listed(tmp_path, "--source", "river") == [river]
    assert _listed(tmp_path, "--from", "2026-04-04") == []


def test_the_list_is_also_for_people(archive: Path, tmp_path: Path) -> None:
    (archive / "marsh-2026-04-05-05-00-00.wav").write_bytes(b"")
    indexed = run_here(["archive", "index", archive], tmp_path)
    assert indexed.returncode == 0
    assert "unusable" in indexed.stderr
    listed = run_here(["archive", "list"], tmp_path)
    assert "2026-04-01T23:59:59.000Z" in listed.stdout
    assert "unusable" in listed.stdout


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--zone", "Europe/Atlantis"], 2, "Europe/Atlantis"),
        (["--rezone"], 2, "--zone"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_is_explained(
    archive: Path, tmp_path: Path, options: list[str], code: int, said: str
) -> None:
    answer = run_here(["archive", "index", archive, *options], tmp_path)
    assert (answer.returncode, answer.stdout) == (code, "")
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_busy_archive_is_exit_code_5(archive: Path, tmp_path: Path) -> None:
    with exclusive(tmp_path / "locks" / "archive-index", "a test"):
        answer = run_here(["archive", "index", archive], tmp_path)
    assert answer.returncode == 5
    assert "already running" in answer.stderr


def test_a_missing_disk_is_exit_code_2_and_may_be_confirmed(archive: Path, tmp_path: Path) -> None:
    run_here(["archive", "index", archive], tmp_path)
    for path in archive.glob("*.wav"):
        path.unlink()
    assert run_here(["archive", "index", archive], tmp_path).returncode == 2
    answer = run_here(["archive", "index", archive, "--allow-empty", "--json"], tmp_path)
    assert json.loads(answer.stdout)["removed"] == 3


def test_help_gives_examples() -> None:
    for command in ("index", "list"):
        answer = subprocess.run(
            [sys.executable, "-m", "tidzam_platform.cli", "archive", command, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=os.environ,
        )
        assert "Examples:\n" in answer.stdout
        assert f"./tidzam archive {command}" in answer.stdout


def test_the_marsh_is_found_and_not_read_twice(tmp_path: Path) -> None:
    marsh = shared_data("archive", "marsh")
    first = json.loads(run_here(["archive", "index", marsh, "--json"], tmp_path).stdout)
    assert (first["recordings"], first["added"], first["unchanged"], first["unusable"]) == (3, 3, 0, 0)
    assert (first["sources"], first["days"], first["channels"]) == (
        ["marsh"],
        ["2026-04-01", "2026-04-02"],
        [4],
    )
    second = json.loads(run_here(["archive", "index", marsh, "--json"], tmp_path).stdout)
    assert (second["recordings"], second["added"], second["unchanged"]) == (3, 0, 3)
