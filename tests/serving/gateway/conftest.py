"""A gateway in front of the tiny model's server, shared by all tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audio.made import encode, tones
from tests.serving.gateway.gateway_process import GatewayProcess
from tests.serving.gateway.made_uploads import silent_day
from tests.support.model_server import ModelServerProcess
from tests.support.parts import require_part
from tidzam_platform.settings import Settings


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, model_server: tuple[ModelServerProcess, str]
) -> Iterator[GatewayProcess]:
    """A gateway process with small limits: 8 MB, 300 s, 4 channels."""
    require_part("ffmpeg")
    home = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(home, model_server[1], max_upload_mb=8, max_audio_s=300, max_channels=4) as process:
        yield process


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a loud tone in WAV, one channel at 8 kHz."""
    return encode(
        tones([700.0], 3.0, rate_hz=8000), tmp_path_factory.mktemp("tone") / "tone.wav", "wav", rate_hz=8000
    )


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A day of silence in a small FLAC file."""
    flac = silent_day(tmp_path_factory.mktemp("day") / "day.flac").read_bytes()
    assert len(flac) < 200_000, "it decodes to 2.7 GB"
    return flac


@pytest.fixture
def alone(home: Settings) -> Settings:
    """Settings of a gateway that finds no model server."""
    server = home.model_server.model_copy(update={"port": 1, "deadline_s": 2.0})
    return home.model_copy(update={"model_server": server})
