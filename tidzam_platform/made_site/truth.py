"""The truth about the recordings, as files: one CSV of all events, one Audacity label track per channel."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

from tidzam_platform import files
from tidzam_platform.made_site.recordings import SiteEvent

_TRUTH: Final = "truth.csv"
_COLUMNS: Final = tuple(field.name for field in fields(SiteEvent))


def write_truth(archive_folder: Path, events: Sequence[SiteEvent]) -> None:
    """Write all events to ``truth.csv``; its columns are the fields of :class:`SiteEvent`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(event) for event in events)
    files.write_whole(archive_folder / _TRUTH, text.getvalue().encode())


def read_truth(archive_folder: Path) -> tuple[SiteEvent, ...]:
    """The events that :func:`write_truth` wrote, in their order."""
    with (archive_folder / _TRUTH).open(encoding="utf-8", newline="") as handle:
        return tuple(
            SiteEvent(
                recording=row["recording"],
                channel=int(row["channel"]),
                start_s=float(row["start_s"]),
                end_s=float(row["end_s"]),
                class_path=row["class_path"],
                snr_db=float(row["snr_db"]),
            )
            for row in csv.DictReader(handle)
        )


def write_label_tracks(
    archive_folder: Path, recording: str, channels: int, events: Sequence[SiteEvent]
) -> None:
    """Write ``<recording>.ch<k>.txt`` for each channel: start, end (s) and class path, tab separated, as Audacity."""
    for channel in range(1, channels + 1):
        lines = [
            f"{event.start_s:.3f}\t{event.end_s:.3f}\t{event.class_path}\n"
            for event in events
            if event.recording == recording and event.channel == channel
        ]
        files.write_whole(archive_folder / f"{recording}.ch{channel}.txt", "".join(lines).encode())
