"""Encoded files that many tests damage copies of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.audio.made import Samples, encode, noise, plain_decode
from tests.audio.ogg_bytes import granule, split_pages

SECONDS = 4.0

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


class OggFile:
    """An undamaged Ogg file of SECONDS of mono noise.

    Attributes:
        path: of the file.
        rate_hz: of its granules.
        pre_skip: ticks before time 0.
        headers: its header pages.
        audio: its audio pages, of 0.2 s each.
        decoded: what ffmpeg alone makes of it.
        slack: ticks after a loss that its codec cannot give.
    """

    def __init__(self, path: Path, kind: str) -> None:
        pages = split_pages(path.read_bytes())
        self.path = path
        self.rate_hz = 48000
        self.pre_skip = 312 if kind == "opus" else 0
        self.headers = [page for page in pages if granule(page) == 0]
        self.audio = pages[len(self.headers) :]
        self.decoded: Samples = plain_decode(path)
        self.slack = 2048 if kind == "vorbis" else 0

    def interval(self, index: int) -> tuple[int, int]:
        """Ticks from time 0 between which an audio page's sound lies, the pre-skip left out."""
        begin = granule(self.audio[index - 1]) if index else 0
        return max(begin - self.pre_skip, 0), max(granule(self.audio[index]) - self.pre_skip, 0)


@pytest.fixture(scope="session")
def ogg_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OggFile]:
    """By codec: opus, vorbis, oggflac."""
    folder = tmp_path_factory.mktemp("ogg")
    files = {}
    for kind in ("opus", "vorbis", "oggflac"):
        files[kind] = OggFile(encode(noise(SECONDS, seed=5), folder / f"whole.{kind}", kind), kind)
    return files
