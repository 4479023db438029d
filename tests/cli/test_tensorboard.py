"""``./tidzam tensorboard``: shows the logs on loopback, and ends with all that it started."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.crash import cli_environment
from tests.support.in_process import run_here
from tests.support.small_site import TrainedHome
from tests.support.waiting import wait_for
from tidzam_platform.operations.ports import is_free


@contextmanager
def running(home: Path, stderr: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command and its address, when it answers."""
    command = [sys.executable, "-m", "tidzam_platform.cli", "tensorboard", "--port", "0"]
    with (
        stderr.open("w") as remarks,
        subprocess.Popen(
            command, env=cli_environment(home), stdout=subprocess.PIPE, stderr=remarks, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = re.fullmatch(
                r"TensorBoard answers at (http://127\.0\.0\.1:\d+)\n", process.stdout.readline()
            )
            assert said, stderr.read_text()
            yield process, said[1]
        finally:
            process.kill()


def asked(address: str, path: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is behind no proxy
    with opener.open(f"{address}/data/{path}", timeout=60) as response:
        return json.load(response)


def test_it_shows_the_trainings_and_ends_on_ctrl_c(trained_copy: TrainedHome, tmp_path: Path) -> None:
    stderr = tmp_path / "stderr"
    [folder] = (trained_copy.folder / "tensorboard").iterdir()
    runs = {f"{folder.name}/{run}" for run in ("chosen", "result")}
    result = urllib.parse.quote(f"{folder.name}/result", safe="")
    with running(trained_copy.folder, stderr) as (process, address):
        wait_for(lambda: set(asked(address, "runs")) == runs, "all runs are loaded", 60)
        wait_for(
            lambda: asked(address, "plugin/projector/runs") == [f"{folder.name}/result"], "the projector"
        )
        embeddings = asked(address, f"plugin/projector/info?run={result}")["embeddings"]
        assert embeddings[0]["metadataPath"] == "metadata.tsv"
        assert asked(address, "plugin/graphs/info")[f"{folder.name}/result"]["run_graph"]
        tags = asked(address, "plugin/images/tags")[f"{folder.name}/result"]
        assert {"confusion_matrix", "reliability_diagram"} <= set(tags)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        port = int(address.rpartition(":")[2])
        wait_for(lambda: is_free("127.0.0.1", port), "TensorBoard ends with the command")
    assert stderr.read_text().strip() == "tidzam: stopped"


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_here(["tensorboard", "--port", str(port)], tmp_path / "home")
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: the port is in use" in ended.stderr
    assert "no training has written logs" in ended.stderr
    assert "answers" not in ended.stdout
