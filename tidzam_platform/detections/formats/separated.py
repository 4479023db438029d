"""CSV (RFC 4180 with line feeds) and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.formats.layout import Layout, exact_time, rounded_score

_FORMULA_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BOTH_ENDS: Final = "\r\n"
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
COLUMNS: Final = ("detection", "generation", "channel", "start", "end", "class_path", "score")


def detection_object(detection: Detection) -> dict[str, Any]:
    """A detection as JSON: times in ISO 8601, UTC; the score rounded to what float32 tells."""
    return {
        "id": detection.id,
        "generation": detection.generation,
        "channel": detection.channel,
        "start": exact_time(detection.start),
        "end": exact_time(detection.end),
        "class_path": detection.class_path,
        "score": rounded_score(detection.score),
    }


def write_json_lines(detections: Iterable[Detection], _layout: Layout) -> Iterator[str]:
    """One object a line."""
    for one in detections:
        yield json.dumps(detection_object(one), allow_nan=False) + "\n"


def write_csv(detections: Iterable[Detection], _layout: Layout) -> Iterator[str]:
    """One line a detection, below a line with the names of the columns."""
    yield csv_line(COLUMNS)
    for one in detections:
        yield csv_line(tuple(detection_object(one).values()))


def csv_line(cells: tuple[object, ...]) -> str:
    """One line of CSV, whose texts no spreadsheet takes for formulas.

    As OWASP's page on CSV injection advises (owasp.org/www-community/attacks/CSV_Injection), an apostrophe goes before
    a text that begins like a formula; numbers, negative ones among them, stay what they are.
    """
    line = io.StringIO(newline="")
    # Python 3.11 puts quotes around those line ends alone that it writes itself.
    csv.writer(line, lineterminator=_BOTH_ENDS).writerow(tuple(_harmless(cell) for cell in cells))
    return line.getvalue().removesuffix(_BOTH_ENDS) + "\n"


def _harmless(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(_FORMULA_BEGINS) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
