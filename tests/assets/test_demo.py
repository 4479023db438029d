"""The demo, small: real model server, real Dagster, everything in its own home."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets.demo import DemoResult
from tests.support.crash import cli_environment, run_cli
from tests.support.in_process import run_here
from tests.support.parts import require_part
from tests.support.small_site import SIZE, TINY_TRAINING, last_line
from tidzam_platform.files import exclusive
from tidzam_platform.operations.child_process import ChildProcess


@pytest.mark.parametrize("runs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_the_whole_way_on_a_small_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    require_part("ffmpeg")
    from assets.demo import run_demo
    from tidzam_platform.operations.ports import free_port
    from tidzam_platform.settings import load_settings

    home = tmp_path / "demo"
    environment = {
        **TINY_TRAINING,
        "TIDZAM_ARCHIVE": str(home / "site" / "archive"),
        "TIDZAM_MODEL_SERVER__PORT": str(free_port()),
        "TIDZAM_MODEL_SERVER__REST_PORT": str(free_port()),
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
    assert "comparing it with a baseline" in said
    for _ in range(1, runs):
        said.clear()
        with run_demo(load_settings(), said.append, SIZE) as again:
            assert again.answer == answer
            assert "comparing it with a baseline" not in said, "its figure is kept"
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


def test_a_second_demo_on_one_home_says_that_one_is_running(tmp_path: Path) -> None:
    with exclusive(tmp_path / "demo" / "locks" / "demo", "a demo"):
        ended = run_here(["demo", "--demo-home", str(tmp_path / "demo"), "--once"], tmp_path / "home")
    assert ended.returncode == 5
    assert f"a demo on {tmp_path / 'demo'} is already running" in ended.stderr


@pytest.mark.parametrize("option", ["--json", "--once"])
def test_the_answer_comes_before_the_wait(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command around a demo of ours that ends: what it prints, and what it exits with."""
    import assets.demo
    from tidzam_platform.cli.main import main

    command = [sys.executable, "-c", "print('out of memory')"]
    evaluation = {"macro_f1": 0.9, "baseline_macro_f1": 0.5, "clips": 12}
    answer = {
        "generation": 1,
        "evaluation": evaluation,
        "addresses": {"dagster": "http://127.0.0.1:3000", "model_server": "127.0.0.1:8500"},
        "home": str(tmp_path),
    }

    @contextmanager
    def ended_demo(_settings: object, _say: object) -> Iterator[DemoResult]:
        with ChildProcess("the model server", command, tmp_path / "log", {}) as process:
            yield DemoResult(answer, "a.opus", [], [process])

    monkeypatch.setattr(assets.demo, "run_demo", ended_demo)
    for name, value in cli_environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TIDZAM_ARCHIVE", "")  # the command sets it; put back afterwards
    with pytest.raises(SystemExit) as ended:
        main(["demo", option])
    out, err = capsys.readouterr()
    if option == "--json":
        assert ended.value.code == 1
        assert last_line(out) == answer
        assert "the model server ended with status 0" in err
        assert "out of memory" in err
    else:
        assert ended.value.code == 0
        assert "macro-F1 0.900" in out
