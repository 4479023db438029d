"""``./tidzam serve`` as a process: what it says, and how it ends."""

from __future__ import annotations

import shutil
import signal
import socket
import time

import pytest

from serving.client import ModelClient
from serving.repository import ModelRepository
from tests.support.crash import run_cli
from tests.support.model_server import ModelServerProcess
from tests.support.tiny_model import some_audio
from tidzam_platform.errors import ListenError

_END_S = 5.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_for_the_first_generation_serves_it_and_ends_cleanly(tmp_path, exported, number):
    with ModelServerProcess(tmp_path) as process:
        said = process.wait_for_stderr("waiting for the first")
        assert "no generation is published yet" in said
        repository = ModelRepository(tmp_path / "models")
        with repository.staging() as staged:
            shutil.copytree(exported(3), staged, dirs_exist_ok=True)
            repository.publish(3, staged)
        ready = process.wait_ready()
        assert ready["generation"] == 3
        assert ready["address"].startswith("127.0.0.1:")
        with ModelClient(ready["address"]) as client:
            assert client.predict(some_audio(1)).generation == 3
        began_s = time.monotonic()
        process.send(number)
        assert process.wait_exit() == 0
        assert time.monotonic() - began_s < _END_S
        for noise in ("oneDNN", "cuInit", "absl::InitializeLog", "Traceback", "deprecated"):
            assert noise not in process.stderr


def test_it_ends_in_time_while_it_is_still_starting(tmp_path):
    with ModelServerProcess(tmp_path) as process:
        time.sleep(1.5)  # the interpreter is up, TensorFlow is being imported
        began_s = time.monotonic()
        process.send(signal.SIGTERM)
        assert process.wait_exit() in (0, -signal.SIGTERM)
        assert time.monotonic() - began_s < _END_S


def test_being_stopped_and_continued_does_not_end_it(model_server):
    process, address = model_server
    for _ in range(3):
        with process.paused():
            time.sleep(0.7)
    with ModelClient(address) as client:
        assert client.wait_until_available(timeout_s=10) == 3


def test_a_port_in_use_is_a_clear_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = run_cli(["serve", "--port", port], tmp_path)
    assert finished.returncode == ListenError.exit_code
    assert f"cannot listen on 127.0.0.1:{port}: the port is in use" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_help_shows_examples(tmp_path):
    finished = run_cli(["serve", "--help"], tmp_path)
    assert finished.returncode == 0
    assert "./tidzam serve --port 0 --json" in finished.stdout
