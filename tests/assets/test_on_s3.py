"""The same path from labels to detections with the objects on S3: a real server that checks signatures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.crash import S3_VARIABLE
from tests.support.in_process import run_here
from tests.support.s3_servers import S3Server
from tests.support.small_site import TINY_TRAINING, TrainedHome, last_line
from tidzam_platform.settings import PROJECT_ROOT
from tidzam_platform.store import S3Location

# What goes through a home's store from the outside, as its users do.
PIPELINE = (
    "tests/assets/test_generation_run.py",
    "tests/assets/test_crashes.py",
    "tests/serving/test_evaluate.py",
    "tests/serving/test_publishing.py",
)
_DEADLINE_S = 1500.0


@pytest.mark.timeout(1200)  # the local home is trained within it, too
def test_from_labels_to_detections_with_all_objects_on_s3(
    trained_home: TrainedHome, swift: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, site = tmp_path / "home", trained_home.site
    variables = swift.variables()
    env = {**TINY_TRAINING, **variables}
    imported = run_here(["dataset", "import", site.labels_file, "--json"], home, env=env)
    assert imported.returncode == 0, imported.stderr
    made = run_here(["generation", "run", "--json"], home, env=env)
    assert made.returncode == 0, made.stderr
    answer = last_line(made.stdout)
    for what in ("dataset", "evaluation", "gate"):
        assert answer[what] == trained_home.answer[what], "as on the local store"
    indexed = run_here(["archive", "index", site.archive_folder, "--json"], home, env=env)
    assert indexed.returncode == 0, indexed.stderr
    days = ["--source", "pond", "--from", "2026-05-01", "--to", "2026-05-02"]
    heard = run_here(["reprocess", *days, "--json"], home, env=env)
    assert heard.returncode == 0, heard.stderr
    read = run_here(["detections", "list", "--json"], home, env=env)
    assert read.returncode == 0, read.stderr
    for name, value in swift.credentials.items():
        monkeypatch.setenv(name, value)
    store = swift.store(tmp_path, S3Location.parse(variables["TIDZAM_STORE"]))
    kinds = {key.partition("/")[0] for key in store.keys()}  # noqa: SIM118 - a method of the store
    assert {"clips", "datasets", "classifiers", "detections", "test_sets"} <= kinds
    assert not (home / "store").exists()


@pytest.mark.long
@pytest.mark.timeout(_DEADLINE_S + 60)
@pytest.mark.parametrize("module", PIPELINE)
def test_the_pipelines_tests_pass_with_their_homes_on_s3(
    swift: S3Server, tmp_path: Path, module: str
) -> None:
    without = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "AWS_"))}
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--basetemp",
            tmp_path / "tests",
            module,
        ],
        env={**without, **swift.credentials, S3_VARIABLE: swift.toml()},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-10_000:]
    files = list((tmp_path / "tests").rglob("tidzam.toml"))
    assert any("s3://" in file.read_text() for file in files), "they ran on S3"
