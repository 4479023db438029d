"""Raven's selection tables: text separated by tabs, as the manuals of Raven Pro and Raven Lite describe them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.formats.layout import Layout, exact_time, in_seconds, rounded_score
from tidzam_platform.names import split_channel

COLUMNS: Final = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin Date Time",
    "Class",
    "Score",
    "Source",
    "Detection",
)
_VIEW: Final = "Spectrogram 1"
_TOP_HZ: Final = 24_000  # a detection has no frequencies: the whole band of 48 kHz


def write_raven(detections: Iterable[Detection], layout: Layout) -> Iterator[str]:
    """One selection a detection, counted from 1; times in seconds from the origin."""
    yield "\t".join(COLUMNS) + "\n"
    for number, (one, start_s, end_s) in enumerate(in_seconds(detections, layout), 1):
        source, channel = split_channel(one.channel)
        cells = (
            number,
            _VIEW,
            channel,
            f"{start_s:.6f}",
            f"{end_s:.6f}",
            0,
            _TOP_HZ,
            exact_time(one.start),
            one.class_path,
            rounded_score(one.score),
            source,
            one.id,
        )
        yield "\t".join(map(str, cells)) + "\n"
