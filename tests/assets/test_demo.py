"""The demo, small: real model server, real Dagster, everything in its own home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crash import run_cli
from tests.support.parts import require_part
from tests.support.small_site import SIZE, TINY_TRAINING, last_line
from tidzam_platform.errors import ProcessError


def test_the_whole_way_on_a_small_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_part("ffmpeg")
    from assets.demo import run_demo
    from tests.support.crash import cli_environment
    from tidzam_platform.operations.child_process import free_port
    from tidzam_platform.settings import load_settings

    home = tmp_path / "demo"
    environment = {
        **TINY_TRAINING,
        "TIDZAM_ARCHIVE": str(home / "site" / "archive"),
        "TIDZAM_MODEL_SERVER__PORT": str(free_port()),
        "TIDZAM_DAGSTER__PORT": str(free_port()),
    }
    for name, value in cli_environment(home, environment).items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    with run_demo(load_settings(), said.append, SIZE) as result:
        answer = result.answer
        assert answer["served"] is True
        assert answer["generation"] == 1
        assert answer["dataset"]["clips"] == 72
        assert answer["detections"] == len(result.heard)
        assert 0 <= answer["evaluation"]["baseline_macro_f1"] <= 1
        assert all(process.is_running() for process in result.processes)
    assert not any(process.is_running() for process in result.processes)
    detections = list((home / "store" / "detections").rglob("*.parquet"))
    assert len(detections) == 2, "two days"
    with run_demo(load_settings(), said.append, SIZE) as again:
        assert again.answer["generation"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"demo"}, "nothing else is touched"


@pytest.mark.long
def test_the_demo_beats_the_baseline(tmp_path: Path) -> None:
    ended = run_cli(["demo", "--once", "--json"], tmp_path / "home", deadline_s=1500)
    assert ended.returncode == 0, ended.stderr
    answer = last_line(ended.stdout)
    assert answer["served"] is True
    assert answer["detections"] > 0
    assert answer["evaluation"]["macro_f1"] >= 0.85
    assert answer["evaluation"]["baseline_macro_f1"] <= 0.70


def test_a_process_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    import sys

    from tidzam_platform.operations.child_process import ChildProcess

    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with (
        ChildProcess("a server", command, tmp_path / "log" / "server.log", {}) as process,
        pytest.raises(ProcessError, match=r"a server ended with status 3.*\n(.*\n)*the reason"),
    ):
        process.wait_until(lambda: False, 10)
