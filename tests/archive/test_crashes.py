"""kill -9 at any moment of an index, then the same command again: the same result as without."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.archive.made import contents, index, make_recording, rows
from tests.support.crash import cli_environment, run_and_crash, run_cli
from tests.support.parts import require_part
from tests.support.postgresql import PostgresqlServer
from tidzam_platform.archive.index import FILES_PER_TRANSACTION
from tidzam_platform.catalog import Catalog

FILES = FILES_PER_TRANSACTION + 4  # two transactions


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    require_part("ffmpeg")
    for number in range(FILES):
        make_recording(tmp_path / "archive", f"marsh-2026-10-25-02-{number:02}-00.wav", seconds=0.01)
    return tmp_path / "archive"


@pytest.mark.parametrize(
    "point",
    ["archive.index.sources", "archive.index.rows", "archive.index.stored", "archive.index.rows:2"],
)
def test_a_first_index_that_is_killed_is_completed(
    point: str, archive: Path, tmp_path: Path, catalog_url: str
) -> None:
    command = ["archive", "index", archive, "--zone", "Europe/Paris", "--json"]
    home = tmp_path / "home"
    run_and_crash(command, point, home, env={"TIDZAM_DATABASE_URL": catalog_url})
    again = run_cli(command, home, env={"TIDZAM_DATABASE_URL": catalog_url})
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["recordings"] == FILES
    run_cli(command, tmp_path / "other")
    undisturbed = Catalog.open(f"sqlite:///{tmp_path / 'other' / 'catalog.db'}")
    disturbed = Catalog.open(catalog_url)
    assert contents(disturbed) == contents(undisturbed)
    assert len(contents(disturbed)) == FILES
    undisturbed.close()
    disturbed.close()


def test_a_removal_that_is_killed_is_completed(archive: Path, tmp_path: Path, catalog_url: str) -> None:
    catalog = Catalog.open(catalog_url)
    index(catalog, archive)
    for number in range(3):
        (archive / f"marsh-2026-10-25-02-{number:02}-00.wav").unlink()
    command = ["archive", "index", archive, "--json"]
    run_and_crash(command, "archive.index.removed", tmp_path, env={"TIDZAM_DATABASE_URL": catalog_url})
    assert len(rows(catalog)) == FILES
    again = run_cli(command, tmp_path, env={"TIDZAM_DATABASE_URL": catalog_url})
    assert json.loads(again.stdout)["removed"] == 3
    assert len(rows(catalog)) == FILES - 3
    catalog.close()


def test_an_index_killed_again_and_again_at_any_moment_ends_as_one_that_was_not(
    archive: Path, tmp_path: Path
) -> None:
    moments = random.Random(7)  # noqa: S311 - no secret
    command = [sys.executable, "-m", "tidzam_platform.cli", "archive", "index", str(archive), "--json"]
    for _ in range(4):
        run = subprocess.Popen(
            command,
            env=cli_environment(tmp_path / "home"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.5, 1.8))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(10)
    for home in ("home", "other"):
        finished = run_cli(command[3:], tmp_path / home)
        assert finished.returncode == 0, finished.stderr
    disturbed, undisturbed = (
        Catalog.open(f"sqlite:///{tmp_path / home / 'catalog.db'}") for home in ("home", "other")
    )
    assert contents(disturbed) == contents(undisturbed)
    disturbed.close()
    undisturbed.close()


def test_two_machines_that_index_one_folder_agree(
    archive: Path, tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    """The lock keeps processes of one machine apart; what machines share is the database."""
    with postgresql_server.fresh_database() as url:
        catalogs = [Catalog.open(url) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            runs = [
                pool.submit(index, catalog, archive, locks_folder=tmp_path / f"machine-{number}")
                for number, catalog in enumerate(catalogs)
            ]
        reports = [run.result() for run in runs]
        assert sum(report.added for report in reports) == FILES
        assert [report.recordings for report in reports] == [FILES, FILES]
        assert len(contents(catalogs[0])) == FILES
        for catalog in catalogs:
            catalog.close()
