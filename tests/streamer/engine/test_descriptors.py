"""The engine takes as many descriptors as it may have, whatever shell it was started from."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from streamer.engine.descriptors import MOST_DESCRIPTORS
from streamer.engine.process import _require_descriptors
from tidzam_platform.settings import Settings

# In a process of its own: a limit holds for all of it.
RAISED = """
import resource
from streamer.engine.descriptors import raise_descriptor_limit
soft, hard = 128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
limit = raise_descriptor_limit()
files = [open("/dev/null") for _ in range(300)]
assert raise_descriptor_limit() == limit
print(limit, *resource.getrlimit(resource.RLIMIT_NOFILE))
for file in files:
    file.close()
"""


def test_the_soft_limit_becomes_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    expected = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    done = subprocess.run([sys.executable, "-c", RAISED], capture_output=True, text=True, check=True)
    assert [int(word) for word in done.stdout.split()] == [expected, expected, hard]


def test_too_low_a_hard_limit_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    monkeypatch.setattr("streamer.engine.process.raise_descriptor_limit", lambda: 1024)
    _require_descriptors(settings)
    assert "raise the hard limit" in caplog.text
    caplog.clear()
    monkeypatch.setattr("streamer.engine.process.raise_descriptor_limit", lambda: 4096)
    _require_descriptors(settings)
    assert not caplog.text
