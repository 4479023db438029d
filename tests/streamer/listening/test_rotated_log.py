"""The log of a child."""

from __future__ import annotations

import os
from pathlib import Path

from streamer.engine.listening.rotated_log import RotatedLog


def test_all_is_kept_up_to_a_bound_and_the_end_is_at_hand(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    log = RotatedLog(tmp_path / "logs" / "child.log", os.fdopen(reading, "rb"), max_bytes=1000)
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        for number in range(300):
            pipe.write(f"line {number:03d}\n".encode())
    log.join(10)
    files = sorted((tmp_path / "logs").iterdir())
    assert files[0].name == "child.log"
    assert len(files) <= 2
    assert "line 299" in files[0].read_text() + log.tail
    assert log.tail.endswith("line 299")


def test_a_disk_that_cannot_be_written_to_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "child.log").mkdir()
    reading, writing = os.pipe()
    log = RotatedLog(tmp_path / "child.log", os.fdopen(reading, "rb"))
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(b"words\n")
    log.join(10)
    assert log.tail == "words"
