"""Which reader a file of labels needs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tidzam_platform.errors import LabelError
from tidzam_platform.labels.tracks.audacity import read_audacity
from tidzam_platform.labels.tracks.csv_track import LABEL_COLUMNS, read_csv
from tidzam_platform.labels.tracks.raven import BEGIN, read_raven
from tidzam_platform.labels.tracks.track_label import TrackLabel, read_text

AUTO: Final = "auto"
FORMATS: Final = (AUTO, "audacity", "raven", "csv")


def read_track(path: Path, format_name: str = AUTO, *, column: str | None = None) -> list[TrackLabel]:
    """The labels of a file.

    Args:
        path: of the file.
        format_name: one of ``FORMATS``; ``auto`` looks at the first line.
        column: of a Raven table: the one that holds the classes.

    Raises:
        LabelError: the format is not known, or the file cannot be read as one; it says which line.
    """
    if format_name not in FORMATS:
        raise LabelError(f"{format_name!r} is no format of labels: {', '.join(FORMATS)}")
    chosen = _format_of(path) if format_name == AUTO else format_name
    if column is not None and chosen != "raven":
        raise LabelError(f"{path} is read as {chosen}: only Raven's tables have a column to choose")
    if chosen == "raven":
        return read_raven(path, column)
    return read_csv(path) if chosen == "csv" else read_audacity(path)


def _format_of(path: Path) -> str:
    """By the first line: Raven and CSV name their columns there, Audacity begins with a time."""
    first = read_text(path).lstrip("\n").split("\n", 1)[0]
    if BEGIN in (name.strip() for name in first.split("\t")):
        return "raven"
    if set(LABEL_COLUMNS) & {name.strip().strip('"') for name in first.split(",")}:
        return "csv"
    if not first.strip() or "\t" in first:
        return "audacity"
    raise LabelError(
        f"{path}: the first line is neither a label of Audacity (start, end and name, separated by tabs), nor names "
        "the columns of Raven's table or of CSV (label, start_s, end_s ...): say which it is with --format"
    )
