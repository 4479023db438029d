"""Reprocessing of a made archive, from Opus to Parquet, beside ffmpeg that only decodes it and a loop as one writes it.

Processor time counts, of all processes together, so that other work on the machine matters little.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from serving.benchmarks.made_archive import SOURCE, MadeArchive, make_archive
from serving.benchmarks.user_loop import loop_cpu_s_per_channel_s
from tidzam_platform.audio.ffmpeg import INPUT_OPTIONS, program
from tidzam_platform.errors import ReprocessingError

_LIMIT_S: Final = 3600.0


@dataclass(frozen=True)
class _Measured:
    """One call of ``reprocess``: its answer, processor time and peak memory of its largest process."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def measure_reprocessing(
    channel_hours: float, rounds: int, processes: int, recording: Path | None = None
) -> dict[str, Any]:
    """What ``./tidzam bench reprocess`` answers.

    The archive is one recording (of the made site, four channels; or ``recording``) repeated without gaps, the
    generation one of the default architecture with random weights: speed does not depend on what was learnt. Each
    round decodes with ffmpeg, as many files at once as there are processes, before and after it reprocesses.

    Args:
        channel_hours: length of the archive times its channels.
        rounds: by turns; the median counts.
        processes: that hear, and that decode.
        recording: what is repeated.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = make_archive(Path(folder), channel_hours, recording)
        short = _reprocess(archive, archive.first_day, processes)
        ratios, measured, decoded = [], [], []
        for _ in range(rounds):
            before_s = _decode_only(archive.files, processes)
            measured.append(_reprocess(archive, archive.last_day, processes))
            decoded.append((before_s + _decode_only(archive.files, processes)) / 2)
            ratios.append(measured[-1].cpu_s / decoded[-1])
        loop_s = loop_cpu_s_per_channel_s(archive.files[0], archive.front_end)
        detections = archive.detections()
    cpu_s = statistics.median(one.cpu_s for one in measured)
    peak_mb = max(one.peak_mb for one in measured)
    channel_s = archive.channel_s(archive.files)
    more_hours = (channel_s - archive.channel_s(archive.quarter)) / 3600
    return {
        "channel_hours": channel_s / 3600,
        "recordings": len(archive.files),
        "channels": archive.channels,
        "processes": processes,
        "rounds": rounds,
        "detections": detections,
        "cpu_s": cpu_s,
        "wall_s": statistics.median(one.wall_s for one in measured),
        "decode_only_cpu_s": statistics.median(decoded),
        "channel_seconds_per_cpu_second": channel_s / cpu_s,
        "ratio_to_decode_only": statistics.median(ratios),
        "ratios_to_decode_only": ratios,
        "loop_channel_seconds_per_cpu_second": 1 / loop_s,
        "ratio_to_user_loop": loop_s * channel_s / cpu_s,
        "peak_memory_mb": {"quarter": short.peak_mb, "whole": peak_mb},
        "memory_slope": (peak_mb - short.peak_mb) / more_hours,  # MB a channel-hour
    }


def _reprocess(archive: MadeArchive, last_day: str, processes: int) -> _Measured:
    """Hear the archive up to ``last_day`` anew, in a process of its own."""
    command = [sys.executable, "-m", "tidzam_platform.cli", "reprocess", "--json"]
    command += ["--source", SOURCE, "--from", archive.first_day, "--to", last_day]
    environment = {**archive.environment(), "TIDZAM_REPROCESSING__PROCESSES": str(processes)}
    report = archive.home / "measured.json"
    finished = subprocess.run(
        [sys.executable, "-m", "serving.benchmarks.measured_command", str(report), *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=True,
    )
    measured = json.loads(report.read_text(encoding="utf-8"))
    if measured.pop("code"):
        said = finished.stderr.strip().splitlines()
        raise ReprocessingError(f"reprocess failed: {said[-1] if said else 'it says nothing'}")
    return _Measured(**measured)


def _decode_only(files: Sequence[Path], processes: int) -> float:
    """Processor time of ffmpeg that decodes all files to floats and throws them away, s."""

    def decode(file: Path) -> None:
        command = [program("ffmpeg"), "-nostdin", *INPUT_OPTIONS, "-i", f"file:{file}", "-f", "f32le", "-y"]
        subprocess.run([*command, os.devnull], check=True, timeout=_LIMIT_S, stdin=subprocess.DEVNULL)

    before_s = _children_s()
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(decode, files))
    return _children_s() - before_s


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
