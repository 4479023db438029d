"""A misbehaving server on loopback, and audio of a few seconds in each container."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.engine.fetching import Cancellation
from tests.audio.made import encode, tones
from tests.support.endless_media import EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.parts import require_part
from tidzam_platform.settings import SourcesSettings

TONE_HZ = 500.0
SECONDS = 2.0


@pytest.fixture
def server() -> Iterator[FaultyStreamServer]:
    with FaultyStreamServer() as running:
        yield running


@pytest.fixture
def cancellation() -> Iterator[Cancellation]:
    with Cancellation() as made:
        yield made


@pytest.fixture
def settings() -> SourcesSettings:
    """Loopback is allowed, and nothing takes long."""
    return SourcesSettings(private_addresses=True, connect_s=5.0, no_samples_s=5.0)


@pytest.fixture(scope="session")
def audio_bytes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """SECONDS of a tone of TONE_HZ in a container: those of ``tests.audio.made``, ``mpegts``, ``fragments``."""
    require_part("ffmpeg")
    folder = tmp_path_factory.mktemp("containers")
    samples = tones([TONE_HZ], SECONDS)
    known: dict[str, bytes] = {}

    def made(kind: str) -> bytes:
        if kind not in known:
            path = folder / f"audio.{kind}"
            if kind in ("mpegts", "fragments"):
                _remuxed(encode(samples, folder / "for.adts", "adts"), path, kind)
            else:
                encode(samples, path, kind)
            known[kind] = path.read_bytes()
        return known[kind]

    return made


@pytest.fixture(scope="session")
def endless(audio_bytes: Callable[[str], bytes]) -> EndlessOgg:
    """A tone without end, as Icecast streams it."""
    return EndlessOgg(audio_bytes("opus"))


def _remuxed(source: Path, target: Path, kind: str) -> None:
    form = {
        "mpegts": ("-f", "mpegts"),
        "fragments": (
            "-movflags",
            "frag_keyframe+empty_moov+default_base_moof",
            "-frag_duration",
            "500000",
            "-f",
            "mp4",
        ),
    }
    codec = ("-c", "copy", "-bsf:a", "aac_adtstoasc") if kind == "fragments" else ("-c", "copy")
    command = [require_part("ffmpeg"), "-v", "error", "-y", "-i", source, *codec, *form[kind], target]
    subprocess.run(command, check=True)
