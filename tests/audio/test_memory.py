"""Decoding many channels stays within a bound of memory, in all processes together, however long the file."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.audio.made import encode, tones
from tests.audio.ogg_bytes import flags, granule, packets, split_pages
from tests.support.data import shared_data
from tidzam_platform.audio.ogg.pages import write_page

CHANNELS = 30
LIMIT_BYTES = 400 * 1024**2
_DECODE = """
import sys
from pathlib import Path
from tidzam_platform.audio import decode_blocks, probe
frames = 0
for block in decode_blocks(Path(sys.argv[1])):
    assert block.samples.shape[0] == int(sys.argv[2])
    frames += block.samples.shape[1]
print(frames)
"""


def _repeat(pages: list[bytes], path: Path, seconds: float) -> None:
    """Write one long stream that repeats the pages of a short one."""
    headers = [page for page in pages if granule(page) == 0]
    audio = pages[len(headers) :]
    # The end is cut off in the last page: leave it out, so that positions of the repetitions add up.
    body = audio[:-1]
    assert flags(audio[-1]) & 4
    period = granule(body[-1])
    repetitions = round(seconds * 48000 / period)
    sequence = 0
    with path.open("wb") as file:
        file.writelines(headers)
        sequence = len(headers)
        for repetition in range(repetitions):
            for page in body:
                last = repetition == repetitions - 1 and page is body[-1]
                segments = page[26]
                file.write(
                    write_page(
                        flags=(page[5] & 1) | (4 if last else 0),
                        granule=granule(page) + repetition * period,
                        serial=int.from_bytes(page[14:18], "little"),
                        sequence=sequence,
                        lacing=page[27 : 27 + segments],
                        body=page[27 + segments :],
                    )
                )
                sequence += 1


def _peak_bytes_of_decoding(path: Path, expected_s: float) -> int:
    """Resident memory of our process and ffmpeg, at its highest."""
    worker = subprocess.Popen(
        [sys.executable, "-c", _DECODE, path, str(CHANNELS)], stdout=subprocess.PIPE, text=True
    )
    peak = 0
    watched = psutil.Process(worker.pid)
    while worker.poll() is None:
        try:
            family = [watched, *watched.children(recursive=True)]
            peak = max(peak, sum(process.memory_info().rss for process in family))
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.02)
    output, _ = worker.communicate()
    assert worker.returncode == 0
    assert abs(int(output) / 48000 - expected_s) < 1
    return peak


def test_a_minute_of_30_channels(tmp_path: Path) -> None:
    hz = [300.0 + 100 * channel for channel in range(CHANNELS)]
    short = encode(tones(hz, 5.0), tmp_path / "short.opus", "opus", options=("-b:a", "1440k"))
    pages = split_pages(short.read_bytes())
    _repeat_whole_packets(pages)
    long = tmp_path / "long.opus"
    _repeat(pages, long, 60)
    peak = _peak_bytes_of_decoding(long, 60)
    print(f"peak {peak / 1024**2:.0f} MiB")
    assert peak < LIMIT_BYTES


def _repeat_whole_packets(pages: list[bytes]) -> None:
    """Make sure that no packet goes on on another page, so that pages can be repeated."""
    for page in pages:
        packets(page)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_an_hour_of_30_channels(tmp_path: Path) -> None:
    recording = shared_data("edge", "impoundment-2026-04-01-06-00-00.opus")
    chain = tmp_path / "hour.opus"
    data = recording.read_bytes()
    with chain.open("wb") as file:
        for _ in range(180):
            file.write(data)
    peak = _peak_bytes_of_decoding(chain, 3600)
    print(f"peak {peak / 1024**2:.0f} MiB")
    assert peak < LIMIT_BYTES
