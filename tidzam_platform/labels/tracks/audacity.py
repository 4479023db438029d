"""Audacity's label tracks (manual.audacityteam.org, "Importing and Exporting Labels").

A line is start, end (s) and text, separated by tabs. A line that begins with a backslash tells the lower and upper
frequency (Hz) of the label above it; -1 stands for none.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from tidzam_platform.errors import LabelError
from tidzam_platform.labels.tracks.track_label import TrackLabel, number, read_text

_FREQUENCIES: Final = "\\"
_UNDEFINED_HZ: Final = -1.0


def read_audacity(path: Path) -> list[TrackLabel]:
    """The labels in the order of the file; a track without any is empty.

    Raises:
        LabelError: the file cannot be read, or a line of it; it says which.
    """
    labels: list[TrackLabel] = []
    for row, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{row}"
        if not line.startswith(_FREQUENCIES):
            labels.append(_label(line, where))
        elif labels:
            low, high = _frequencies(line, where)
            labels[-1] = replace(labels[-1], low_hz=low, high_hz=high)
        else:
            raise LabelError(f"{where}: these are the frequencies of the label above, but there is none")
    return labels


def _label(line: str, where: str) -> TrackLabel:
    cells = line.split("\t", 2)
    if len(cells) < 2:
        raise LabelError(f"{where}: a label is start, end and name, separated by tabs, not {line!r}")
    start_s, end_s = number(cells[0], "the start", where), number(cells[1], "the end", where)
    name = cells[2].strip() if len(cells) == 3 else ""
    if not name:
        raise LabelError(f"{where}: the label has no name; write what sounds there, or remove the line")
    if not 0 <= start_s <= end_s:
        raise LabelError(
            f"{where}: {name!r} cannot last from {start_s} to {end_s} s: "
            "times count from 0 and an event ends after it begins"
        )
    return TrackLabel(name, start_s, end_s, where)


def _frequencies(line: str, where: str) -> tuple[float | None, float | None]:
    cells = line.split("\t")
    if len(cells) < 3:
        raise LabelError(f"{where}: frequencies are a backslash, low and high, separated by tabs")
    edges = [number(cell, "a frequency", where) for cell in cells[1:3]]
    low, high = (None if edge == _UNDEFINED_HZ else edge for edge in edges)
    return low, high
