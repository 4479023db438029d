"""The examples of docs/model_client.md run as they stand there, on a server of other ports."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

import serving.client
from serving.client import ClientCounts
from serving.server.embedded import EmbeddedServer
from tests.support.parts import require_part
from tidzam_platform.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "model_client.md").read_text()


@pytest.fixture(scope="module")
def served(served_repository) -> Iterator[EmbeddedServer]:
    """Generation 3 over gRPC and REST."""
    server = EmbeddedServer(served_repository, poll_interval_s=0.1, rest_port=0)
    server.start()
    assert server.wait_for_generation(30) == 3
    yield server
    assert server.stop()


def examples(language: str, served: EmbeddedServer) -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert blocks
    return [
        block.replace("127.0.0.1:8500", served.address).replace("127.0.0.1:8501", served.rest_address or "")
        for block in blocks
    ]


def test_the_python_examples_run(served, capsys):
    names: dict[str, object] = {}
    for block in examples("python", served):
        exec(compile(block, "docs/model_client.md", "exec"), names)  # noqa: S102 - text of our own
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2, "one line a window; there is no canary to compare with"
    for line in lines:
        assert re.fullmatch(r"3 (birds|birds-chiffchaff|rain) 0\.\d\d -120 dBFS", line)


def test_the_javascript_example_runs(served, tmp_path):
    node = require_part("node")
    (block,) = examples("javascript", served)
    script = tmp_path / "hear.mjs"
    script.write_text(block)
    run = subprocess.run([node, script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    (heard,) = json.loads(run.stdout)
    assert heard["generation"] == 3
    assert 0 <= heard["score"] <= 1
    # The same as through the other API.
    with serving.client.ModelClient(served.address) as client:
        about = client.describe()
        scores = client.predict(np.zeros((1, about.window_frames), np.float32)).scores[0]
    assert heard["path"] == about.classes[scores.argmax()].path
    assert heard["score"] == pytest.approx(float(scores.max()), abs=1e-5)


def test_every_count_and_public_name_of_routes_is_true():
    """Names in the page's code spans that look like ours exist."""
    for name in re.findall(r"`Route\.(\w+)\(", PAGE):
        assert hasattr(serving.client.Route, name)
    for name in re.findall(r"`(?:counts\.)?(shadow_\w+|rerouted)`", PAGE):
        assert name in ClientCounts.__dataclass_fields__
