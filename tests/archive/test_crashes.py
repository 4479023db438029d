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

from tests.archive.made import contents, index, make_silence, rows
from tests.support.crash import cli_environment, run_and_crash, run_cli
from tests.support.postgresql import PostgresqlServer
from tidzam_platform.archive.index import FILES_PER_TRANSACTION
from tidzam_platform.catalog import Catalog

FILES = FILES_PER_TRANSACTION + 4  # two transactions
NAME = "marsh-2026-10-25-02-{:02}-00.opus"  # in the hour that came twice, where files depend on each other


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for number in range(FILES):
        make_silence(tmp_path / "archive", NAME.format(number))
    return tmp_path / "archive"


@pytest.fixture
def undisturbed(archive: Path, tmp_path: Path) -> list[tuple[object, ...]]:
    """What a catalog says of the archive when nobody disturbed the index."""
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'undisturbed.db'}")
    index(catalog, archive, time_zone="Europe/Paris")
    found = contents(catalog)
    catalog.close()
    assert len(found) == FILES
    return found


@pytest.mark.parametrize(
    "point",
    ["archive.index.sources", "archive.index.rows", "archive.index.stored", "archive.index.rows:2"],
)
def test_a_first_index_that_is_killed_is_completed(
    point: str, archive: Path, undisturbed: list[tuple[object, ...]], tmp_path: Path, catalog_url: str
) -> None:
    command = ["archive", "index", archive, "--zone", "Europe/Paris", "--json"]
    home = tmp_path / "home"
    run_and_crash(command, point, home, env={"TIDZAM_DATABASE_URL": catalog_url})
    again = run_cli(command, home, env={"TIDZAM_DATABASE_URL": catalog_url})
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["recordings"] == FILES
    catalog = Catalog.open(catalog_url)
    assert contents(catalog) == undisturbed
    catalog.close()


def test_a_removal_that_is_killed_is_completed(archive: Path, tmp_path: Path, catalog_url: str) -> None:
    catalog = Catalog.open(catalog_url)
    index(catalog, archive)
    for number in range(3):
        (archive / NAME.format(number)).unlink()
    command = ["archive", "index", archive, "--json"]
    run_and_crash(command, "archive.index.removed", tmp_path, env={"TIDZAM_DATABASE_URL": catalog_url})
    assert len(rows(catalog)) == FILES
    again = run_cli(command, tmp_path, env={"TIDZAM_DATABASE_URL": catalog_url})
    assert json.loads(again.stdout)["removed"] == 3
    assert len(rows(catalog)) == FILES - 3
    catalog.close()


def test_an_index_killed_again_and_again_at_any_moment_ends_as_one_that_was_not(
    archive: Path, undisturbed: list[tuple[object, ...]], tmp_path: Path
) -> None:
    moments = random.Random(7)  # noqa: S311 - no secret
    command = ["archive", "index", str(archive), "--zone", "Europe/Paris"]
    for _ in range(4):
        run = subprocess.Popen(
            [sys.executable, "-m", "tidzam_platform.cli", *command],
            env=cli_environment(tmp_path / "home"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.3, 1.3))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(10)
    finished = run_cli(command, tmp_path / "home")
    assert finished.returncode == 0, finished.stderr
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'home' / 'catalog.db'}")
    assert contents(catalog) == undisturbed
    catalog.close()


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
