"""Raven's selection tables: columns separated by tabs, named in the first line.

As the manual of Raven Pro describes them. Where a table was made over several files, ``Begin File`` and ``File
Offset (s)`` say in which file a selection begins and when.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tidzam_platform.errors import LabelError
from tidzam_platform.labels.tracks.track_label import TrackLabel, moment, number, read_text

BEGIN: Final = "Begin Time (s)"
END: Final = "End Time (s)"
# Raven lets people name the column of their annotations; these are the names in use.
LABEL_COLUMNS: Final = (
    "class",
    "label",
    "annotation",
    "species",
    "common name",
    "species code",
    "sound type",
)
_WAVEFORM: Final = "waveform"


def read_raven(path: Path, column: str | None = None) -> list[TrackLabel]:
    """One label a selection, in the order of the file; what Raven lists once a view is one.

    Args:
        path: of the table.
        column: that holds the classes; None: the first there is of ``LABEL_COLUMNS``.

    Raises:
        LabelError: the file cannot be read, a column is missing, or a line cannot be read; it says which.
    """
    lines = read_text(path).split("\n")
    names = [name.strip() for name in lines[0].split("\t")]
    if missing := [name for name in (BEGIN, END) if name not in names]:
        raise LabelError(
            f"{path}: the first line must name the columns {', '.join(missing)}, as Raven writes it"
        )
    chosen = _label_column(path, names, column)
    selections: dict[str, tuple[bool, TrackLabel]] = {}
    for row, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = dict(zip(names, (cell.strip() for cell in line.split("\t")), strict=False))
        label = _label(cells, chosen, f"{path}:{row}")
        is_waveform = cells.get("View", "").lower().startswith(_WAVEFORM)
        selection = cells.get("Selection") or f"line {row}"
        known = selections.get(selection)
        if known is None or (known[0] and not is_waveform):  # the other views tell frequencies
            selections[selection] = (is_waveform, label)
        elif not is_waveform and (known[1].start_s, known[1].end_s) != (label.start_s, label.end_s):
            raise LabelError(
                f"{path}:{row}: selection {selection} stands at another time in {known[1].where}"
            )
    return [label for _, label in selections.values()]


def _label_column(path: Path, names: list[str], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in names:
            raise LabelError(f"{path} has no column {wanted!r}; it has {', '.join(names)}")
        return wanted
    by_lower = {name.lower(): name for name in names}
    for known in LABEL_COLUMNS:
        if known in by_lower:
            return by_lower[known]
    raise LabelError(
        f"{path}: no column for the classes (Class, Label, Annotation, Species ...): name it with --column; "
        f"there are {', '.join(names)}"
    )


def _label(cells: dict[str, str], column: str, where: str) -> TrackLabel:
    name = cells.get(column, "")
    if not name:
        raise LabelError(f"{where}: the selection has no {column}; write what sounds there, or remove it")
    start_s, end_s = (number(cells.get(each, ""), each, where) for each in (BEGIN, END))
    if not 0 <= start_s <= end_s:
        raise LabelError(f"{where}: {name!r} cannot last from {start_s} to {end_s} s")
    file, offset = cells.get("Begin File") or None, cells.get("File Offset (s)")
    if file is not None and offset:
        offset_s = number(offset, "File Offset (s)", where)
        if offset_s < 0:
            raise LabelError(f"{where}: the file offset {offset_s} s lies before the file")
        start_s, end_s = offset_s, offset_s + (end_s - start_s)
    low, high = (cells.get(each) for each in ("Low Freq (Hz)", "High Freq (Hz)"))
    channel = cells.get("Channel")
    return TrackLabel(
        name,
        start_s,
        end_s,
        where,
        low_hz=number(low, "Low Freq (Hz)", where) if low else None,
        high_hz=number(high, "High Freq (Hz)", where) if high else None,
        channel=channel_number(channel, where) if channel else None,
        verdict=cells.get("Verdict") or None,
        recording=file,
        # our own export names the detection; who changed the table without a verdict speaks of the recording
        detection=(cells.get("Detection") or None) if "Verdict" in cells else None,
        heard_at=moment(cells.get("Begin Date Time")),
    )


def channel_number(text: str, where: str) -> int:
    """A channel from 1; LabelError for anything else."""
    if not (text.isascii() and text.isdigit()) or not 1 <= len(text) <= 4 or int(text) < 1:
        raise LabelError(f"{where}: a channel is a number from 1 on, not {text!r}")
    return int(text)
