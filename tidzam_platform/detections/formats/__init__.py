"""Detections as files for other programs.

Public names:
    FORMATS           by name: csv, json, raven, audacity
    Format, Layout    a format, and what it is told
    detection_object  a detection as JSON

Darwin Core (``darwin_core``) tells of verified detections only, so its writer is given what people said, too.
"""

from __future__ import annotations

from typing import Final

from tidzam_platform.detections.formats.audacity import write_audacity
from tidzam_platform.detections.formats.layout import Format, Layout
from tidzam_platform.detections.formats.raven import write_raven
from tidzam_platform.detections.formats.separated import detection_object, write_csv, write_json_lines

__all__ = ["FORMATS", "Format", "Layout", "detection_object"]

FORMATS: Final = {
    known.name: known
    for known in (
        Format("csv", "text/csv", ".csv", write_csv),
        Format("json", "application/x-ndjson", ".jsonl", write_json_lines),
        Format("raven", "text/tab-separated-values", ".txt", write_raven),
        Format("audacity", "text/plain", ".txt", write_audacity),
    )
}
