"""./tidzam start, stop, restart and check as processes: what they print, exit codes, Ctrl-C, the real model server."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
from typing import IO, Any

import pytest

from serving.client import ModelClient
from serving.repository import ModelRepository
from tests.operations.supervision.conftest import Site, gone
from tests.support.crash import run_cli
from tests.support.tiny_model import export_tiny, some_audio
from tests.support.waiting import wait_for
from tidzam_platform.operations.ports import free_port
from tidzam_platform.operations.supervision.trees import marked
from tidzam_platform.settings import Settings


def answer(out: str) -> Any:
    """The one JSON object."""
    (line,) = out.splitlines()
    return json.loads(line)


def read_until(stream: IO[str], text: str, deadline_s: float = 60.0) -> str:
    """What comes through a pipe until ``text`` does; nothing of what follows is lost in a buffer."""
    end_s, seen = time.monotonic() + deadline_s, ""
    while text not in seen:
        readable, _, _ = select.select([stream], [], [], max(0.0, end_s - time.monotonic()))
        some = os.read(stream.fileno(), 1 << 16) if readable else b""
        if not some:
            pytest.fail(f"{text!r} did not appear:\n{seen}")
        seen += some.decode()
    return seen


@pytest.fixture
def pair(site: Site) -> Site:
    """Web, which needs the engine; nothing runs."""
    site.actor("engine")
    site.actor("web", needs=("engine",))
    return site


def test_json_is_one_object_and_progress_goes_to_standard_error(pair: Site) -> None:
    code, out, err = pair.run("start", "--json")
    assert code == 0, err
    started = answer(out)
    assert started["ok"]
    assert [(one["name"], one["state"], one["did"]) for one in started["processes"]] == [
        ("engine", "ready", "started"),
        ("web", "ready", "started"),
    ]
    assert re.search(r"^web: ready after [0-9.]+ s$", err, re.MULTILINE)
    code, out, _ = pair.run("start", "--json")
    assert code == 0
    assert [one["did"] for one in answer(out)["processes"]] == ["", ""]
    code, out, _ = pair.run("restart", "engine", "--json")
    assert code == 0
    assert [one["did"] for one in answer(out)["processes"]] == ["restarted", "restarted"]
    code, out, err = pair.run("stop", "--json")
    assert code == 0, err
    assert [(one["name"], one["state"]) for one in answer(out)["processes"]] == [
        ("web", "stopped"),
        ("engine", "stopped"),
    ]
    pair.assert_nothing_is_left()


def test_tables_are_for_people(pair: Site) -> None:
    code, out, _ = pair.run("start")
    assert code == 0
    assert re.search(r"engine\W+ready\W+started\W+[0-9]+", out)
    code, out, _ = pair.run("check")
    assert code == 0
    assert "all that is needed is there" in out
    assert re.search(r"web\W+ready", out)


def test_what_does_not_become_ready_is_exit_code_1_with_its_log(pair: Site) -> None:
    pair.actor("engine", "--idle", ready_s=2)
    code, out, err = pair.run("start", "--json")
    assert code == 1
    told = answer(out)
    assert not told["ok"]
    assert "waiting for better times" in told["processes"][0]["problem"]
    assert "waiting for better times" in err


def test_unknown_processes_and_a_second_command_have_their_exit_codes(pair: Site) -> None:
    code, _, err = pair.run("start", "motor")
    assert code == 2
    assert "'motor': choose of engine, web" in err
    pair.actor("engine", "--delay-s", "60", ready_s=120)
    with pair.command("start") as first:
        assert first.stderr is not None
        read_until(first.stderr, "engine: starting")
        code, _, err = pair.run("start")
        assert code == 5, err
        assert "another start, stop, restart or check" in err
        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_the_wait_and_leaves_what_runs_running(
    pair: Site, number: signal.Signals, code: int
) -> None:
    pair.actor("web", "--idle", needs=("engine",), ready_s=120)
    with pair.command("start") as process:
        assert process.stderr is not None
        read_until(process.stderr, "web: starting")
        os.kill(process.pid, number)
        told = process.communicate(timeout=30)[1]
        assert process.returncode == code
    said = "tidzam: no longer waiting; still running: engine, web (./tidzam stop ends all)"
    assert told.strip().splitlines()[-1] == said, "and nothing of a stop"
    assert set(pair.supervision.running()) == {"engine", "web"}
    assert pair.get("engine", "/readyz") == ""


def test_check_mends_and_says_so(pair: Site) -> None:
    pair.actor("engine", ready_s=3)
    pair.run("start")
    pair.get("engine", "/break")
    code, out, err = pair.run("check", "--json")
    checked = answer(out)
    assert checked["findings"], "what it did before it still does"
    assert checked["running"]
    assert [(one["name"], one["did"], one["ok"]) for one in checked["processes"]] == [
        ("engine", "restarted", True),
        ("web", "", True),
    ]
    assert (code, checked["ok"]) == (0, True), "mended is well"
    assert "engine: it is not ready" in err


def test_check_says_that_nothing_runs_and_starts_nothing(pair: Site) -> None:
    code, out, _ = pair.run("check")
    assert code == 0
    assert "nothing runs; ./tidzam start starts it" in out
    code, out, _ = pair.run("check", "--json")
    assert (code, answer(out)["running"], answer(out)["processes"]) == (0, False, [])
    assert not pair.settings.run_folder.exists()


def test_check_of_a_killed_supervisor_is_exit_code_1(pair: Site) -> None:
    pair.run("start")
    os.kill(pair.supervisor_pid(), signal.SIGKILL)
    wait_for(lambda: not pair.alive(), "the processes end with it")
    code, out, _ = pair.run("check", "--json")
    assert code == 1
    assert not answer(out)["ok"]
    assert [one["state"] for one in answer(out)["processes"]] == ["dead", "dead"]


def test_the_model_server_is_started_checked_and_stopped(home: Settings) -> None:
    repository = ModelRepository(home.models_folder)
    with repository.staging() as staged:
        export_tiny(1, staged)
        repository.publish(1, staged)
    port = free_port()
    env = {
        "TIDZAM_SUPERVISION__PROCESSES": '["model-server"]',
        "TIDZAM_MODEL_SERVER__PORT": str(port),
        "TIDZAM_MODEL_SERVER__REST_PORT": str(free_port()),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_cli(arguments, home.home, env=env)

    try:
        started = run("start", "--json")
        assert started.returncode == 0, started.stderr
        (process,) = answer(started.stdout)["processes"]
        with ModelClient(f"127.0.0.1:{port}") as client:
            assert client.predict(some_audio(1)).generation == 1, "ready means that it answers"
        checked = run("check", "--json")
        assert answer(checked.stdout)["processes"][0]["pid"] == process["pid"], checked.stderr
        assert "generation 1" in (home.logs_folder / "model-server.log").read_text()
    finally:
        stopped = run("stop", "--json")
    assert stopped.returncode == 0, stopped.stderr
    assert answer(stopped.stdout)["processes"][0]["did"] == "stopped", "it ends in order"
    assert gone(process["pid"])
    assert not marked(home.home)
