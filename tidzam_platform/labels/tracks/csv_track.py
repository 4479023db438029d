"""Labels from CSV: column ``label`` (or ``class_path``), and where known the others of ``COLUMNS``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from tidzam_platform.errors import InvalidNameError, LabelError
from tidzam_platform.labels.tracks.raven import channel_number
from tidzam_platform.labels.tracks.track_label import TrackLabel, moment, number, read_text
from tidzam_platform.names import split_channel

COLUMNS: Final = (
    "label", "class_path", "parent", "verdict", "start_s", "end_s", "low_hz", "high_hz", "channel",
    "recording", "clip", "detection",
)  # fmt: skip
LABEL_COLUMNS: Final = ("label", "class_path")


def read_csv(path: Path) -> list[TrackLabel]:
    """One label a row, in the order of the file; columns that are not known are passed over.

    Raises:
        LabelError: the file cannot be read, has no column for the label, or a row cannot be read; it says which.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        chosen = next((name for name in LABEL_COLUMNS if name in names), None)
        if chosen is None:
            raise LabelError(f"{path}: the first line must name the column {' or '.join(LABEL_COLUMNS)}")
        if len(set(names)) < len(names):
            raise LabelError(f"{path}: the first line names a column twice: {', '.join(names)}")
        reader.fieldnames = names
        return [_label(row, chosen, f"{path}:{reader.line_num}") for row in reader]
    except csv.Error as error:
        raise LabelError(f"{path}:{reader.line_num} cannot be read as CSV: {error}") from error


def _label(row: dict[str, str | None], chosen: str, where: str) -> TrackLabel:
    if None in row:
        raise LabelError(f"{where}: more cells than the first line names columns")
    cells = {name: (row.get(name) or "").strip() or None for name in COLUMNS}
    name = cells[chosen]
    if name is None:
        raise LabelError(f"{where}: the label has no name; write what sounds there, or remove the row")

    def seconds_or_hz(column: str) -> float | None:
        text = cells[column]
        return None if text is None else number(text, column, where)

    start_s, end_s = seconds_or_hz("start_s"), seconds_or_hz("end_s")
    if (start_s is None) != (end_s is None):
        raise LabelError(f"{where}: start_s and end_s go together; leave both empty for all of it")
    if start_s is not None and end_s is not None and not 0 <= start_s <= end_s:
        raise LabelError(f"{where}: {name!r} cannot last from {start_s} to {end_s} s")
    return TrackLabel(
        name,
        start_s,
        end_s,
        where,
        low_hz=seconds_or_hz("low_hz"),
        high_hz=seconds_or_hz("high_hz"),
        channel=None if cells["channel"] is None else _channel(cells["channel"], where),
        verdict=cells["verdict"],
        parent=cells["parent"],
        recording=cells["recording"],
        clip=cells["clip"],
        detection=cells["detection"],
        heard_at=moment(row.get("start")),
    )


def _channel(text: str, where: str) -> int:
    """A number, or a whole name such as ``marsh:out_2``."""
    if ":" not in text:
        return channel_number(text, where)
    try:
        return split_channel(text)[1]
    except InvalidNameError as error:
        raise LabelError(f"{where}: {error}") from error
