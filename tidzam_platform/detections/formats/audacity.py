"""Audacity's label tracks: start, end (s) and text, separated by tabs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.formats.layout import Layout, in_seconds


def write_audacity(detections: Iterable[Detection], layout: Layout) -> Iterator[str]:
    """One label a detection; it names the channel, ``birds (marsh:out_2)``, unless all are of one."""
    for one, start_s, end_s in in_seconds(detections, layout):
        label = one.class_path if layout.one_channel else f"{one.class_path} ({one.channel})"
        yield f"{start_s:.6f}\t{end_s:.6f}\t{label}\n"
