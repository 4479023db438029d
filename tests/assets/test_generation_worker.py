"""A generation that two workers train: one makes it, the other helps and keeps nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.crash import cli_environment
from tests.support.in_process import run_here
from tests.support.small_site import TINY_TRAINING, TrainedHome, last_line
from tidzam_platform.operations.ports import free_port

DEADLINE_S = 400.0


@pytest.mark.long  # both train the whole small site, and the result is exported
@pytest.mark.timeout(900)
def test_a_generation_is_trained_with_the_help_of_another_worker(
    trained_home: TrainedHome, tmp_path: Path
) -> None:
    leading, helping = tmp_path / "leading", tmp_path / "helping"
    run_here(["dataset", "import", trained_home.site.labels_file, "--annotator", "truth", "--json"], leading)
    built = last_line(run_here(["dataset", "build", "--json"], leading).stdout)
    shutil.copytree(leading, helping)
    before = files_of(helping)
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    together = {**TINY_TRAINING, "TIDZAM_TRAINING__WORKERS": json.dumps(workers)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tidzam_platform.cli", "generation", command, "--json"],
            env=cli_environment(home, {**together, "TIDZAM_TRAINING__WORKER": str(number)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, (command, home) in enumerate((("run", leading), ("worker", helping)))
    ]
    try:
        (made, errors), (helped, other_errors) = (
            process.communicate(timeout=DEADLINE_S) for process in processes
        )
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors + other_errors
    answer = last_line(made)
    assert answer["dataset"]["version"] == built["version"]
    assert Path(answer["saved_model"], "saved_model.pb").exists()
    assert answer["evaluation"]["macro_f1"] == pytest.approx(
        trained_home.answer["evaluation"]["macro_f1"], abs=0.3
    )
    assert "epoch 1 of at most 4" in other_errors
    assert last_line(helped) == {"dataset": built["version"], "worker": 1, "workers": workers}
    assert files_of(helping) == before
    again = run_here(["generation", "run", "--json"], leading, env=TINY_TRAINING)
    assert last_line(again.stdout)["generation"] == 1, "who shares the work is no ingredient"


def files_of(home: Path) -> set[str]:
    """What a home keeps; the database's own files beside it come and go."""
    return {
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("catalog.db-")
    }


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "training.workers names no other worker"),
        ({"TIDZAM_TRAINING__WORKERS": '["127.0.0.1:1", "127.0.0.1:2"]'}, "./tidzam generation run"),
        ({"TIDZAM_TRAINING__WORKERS": '["127.0.0.1"]'}, "is not host:port"),
        ({"TIDZAM_TRAINING__WORKER": "1"}, "workers names 0"),
    ],
)
def test_a_worker_that_has_nobody_to_help_says_so(
    variables: dict[str, str], said: str, tmp_path: Path
) -> None:
    refused = run_here(["generation", "worker"], tmp_path, env=variables)
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr


def test_a_generation_is_not_made_where_a_worker_helps(trained_copy: TrainedHome) -> None:
    helping = {
        **TINY_TRAINING,
        "TIDZAM_TRAINING__WORKERS": '["127.0.0.1:1", "127.0.0.1:2"]',
        "TIDZAM_TRAINING__WORKER": "1",
    }
    refused = run_here(["generation", "run"], trained_copy.folder, env=helping)
    assert refused.returncode == 2, refused.stderr
    assert "./tidzam generation worker" in refused.stderr
