"""Writing the sounds of the site: encoding is what takes the time, so two files are encoded at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from tidzam_platform import crash_points, files
from tidzam_platform.audio import write_audio
from tidzam_platform.made_site.clips import Clip, make_clip
from tidzam_platform.made_site.recordings import Recording, SiteEvent, make_recording
from tidzam_platform.made_site.synthesis import RATE_HZ
from tidzam_platform.made_site.truth import write_label_tracks, write_truth

_ENCODERS: Final = 2
_LABEL_COLUMNS: Final = ("file", "label", "parent", "group", "seconds")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def write_archive(folder: Path, recordings: Sequence[Recording], written: Callable[[], None]) -> None:
    """Make and write the recordings, their label tracks and the truth; calls ``written`` after each recording."""
    truth: list[SiteEvent] = []
    with closing(_two_at_once(lambda recording: _write_recording(folder, recording), recordings)) as results:
        for events in results:
            truth += events
            crash_points.reach("made_site.recording")
            written()
    write_truth(folder, truth)


def write_clips(folder: Path, clips: Sequence[Clip], written: Callable[[], None]) -> None:
    """Make and write the clips, and ``labels.csv`` that lists them; calls ``written`` after each clip."""
    rows = [_LABEL_COLUMNS]
    with closing(_two_at_once(lambda clip: _write_clip(folder, clip), clips)) as results:
        for row in results:
            rows.append(row)
            crash_points.reach("made_site.clip")
            written()
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    files.write_whole(folder / "labels.csv", text.getvalue().encode())


def _two_at_once(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Generator[_Result, None, None]:
    """``work`` on each item in two threads; results in the items' order.

    When it is closed, or fails, what was begun is awaited and nothing new is begun: no thread works on.
    """
    with ThreadPoolExecutor(_ENCODERS) as encoders:
        jobs = [encoders.submit(work, item) for item in items]
        try:
            for job in jobs:
                yield job.result()
        finally:
            for job in jobs:
                job.cancel()


def _write_recording(folder: Path, recording: Recording) -> list[SiteEvent]:
    """Write one recording and its label tracks; returns its events."""
    samples, events = make_recording(recording)
    write_audio(folder / f"{recording.name}.opus", samples, RATE_HZ, codec="opus")
    write_label_tracks(folder, recording.name, len(samples), events)
    return events


def _write_clip(folder: Path, clip: Clip) -> tuple[str, str, str, str, str]:
    """Write one clip; returns its row of ``labels.csv``."""
    samples = make_clip(clip).astype(np.float32)
    name = f"{clip.class_path}/{clip.group}-{clip.number}.opus"
    write_audio(folder / name, samples[np.newaxis], RATE_HZ, codec="opus")
    parent, _, label = clip.class_path.rpartition("-")
    return name, label, parent or label, clip.group, f"{len(samples) / RATE_HZ:.3f}"
