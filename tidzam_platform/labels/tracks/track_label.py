"""What every reader of tracks yields, and what the readers share."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tidzam_platform.clock import parse_utc
from tidzam_platform.errors import LabelError, TidzamError

MAX_BYTES: Final = 64 << 20
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class TrackLabel:
    """One label as it was written; nothing is looked up yet.

    Attributes:
        label: the name, without space around it; never empty.
        start_s: seconds from the first sample; None with ``end_s`` None: all of it.
        end_s: at ``start_s`` or after it.
        where: place in the file, for messages.
        low_hz: lower edge of the frequencies; None where the format or the line tells none.
        high_hz: upper edge.
        channel: from 1.
        verdict: present, absent or unsure.
        parent: class one level up.
        recording: name or path of the recording.
        clip: number or SHA-256.
        detection: id.
        heard_at: when the detection starts.
    """

    label: str
    start_s: float | None
    end_s: float | None
    where: str
    low_hz: float | None = None
    high_hz: float | None = None
    channel: int | None = None
    verdict: str | None = None
    parent: str | None = None
    recording: str | None = None
    clip: str | None = None
    detection: str | None = None
    heard_at: datetime | None = None


def read_text(path: Path) -> str:
    """The text of a file, line ends as ``\\n``.

    Raises:
        LabelError: there is no such file, it is no text in UTF-8, or larger than 64 MiB.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LabelError(f"{path} has more than {MAX_BYTES >> 20} MiB: no file of labels is that large")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelError(f"{path} is no label track in UTF-8: {error}") from error
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise LabelError(f"{path} is no label track: it holds null bytes")
    return text


def number(text: str, what: str, where: str) -> float:
    """A number with a decimal point, or the comma that programs write where the user's language does."""
    text = text.strip()
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text.replace(",", "."))):
        raise LabelError(f"{where}: {what} is a number, not {text!r}")
    return value


def moment(text: str | None) -> datetime | None:
    """A time in ISO 8601 with its zone; None for anything else, since it only helps to find a detection sooner."""
    if not text:
        return None
    try:
        return parse_utc(text)
    except TidzamError:
        return None
