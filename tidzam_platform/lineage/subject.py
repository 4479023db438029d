"""What is asked about: a detection by its id, or what ``./tidzam analyze`` answered, which is stored nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.formats import detection_object
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import DetectionNotFoundError, QueryError
from tidzam_platform.labels.class_paths import is_within, valid_class_path

_IDENTITY: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_ANSWER: Final = re.compile(r"([1-9][0-9]{0,9}):([a-z0-9_-]{1,255})")
_MAX_EVENT: Final = 10_000  # characters
_MAX_GENERATION: Final = 2**31 - 1
_EVENT_FIELDS: Final = ("file", "channel", "start", "end", "score")
_SHOWN: Final = 80
_HOW: Final = (
    "give the id of a detection (./tidzam detections list), a generation with a class like 3:birds-crow, or one event "
    "of ./tidzam analyze --json"
)


@dataclass(frozen=True)
class Subject:
    """An answer of a generation.

    Attributes:
        generation: that gave it.
        class_path: what it heard, as it names the class.
        detection: as it is stored; None for an answer that is not.
        event: what else ``analyze`` told of it: file, channel, start, end, score.
    """

    generation: int
    class_path: str
    detection: Detection | None = None
    event: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """``detection`` and ``event``, one of which may be null."""
        return {
            "detection": None if self.detection is None else detection_object(self.detection),
            "event": dict(self.event) or None,
        }


def find_subject(
    reader: DetectionReader,
    text: str,
    *,
    start: datetime | None = None,
    channel: str | None = None,
    within_s: float | None = None,
) -> Subject:
    """The subject that ``text`` names.

    Args:
        reader: finds detections, live and of the archive.
        text: the id of a detection; a generation and a class, ``3:birds-crow``; or an event of ``analyze --json`` as
            it stands there.
        start, channel, within_s: as for ``DetectionReader.find``; only for ids.

    Raises:
        DetectionNotFoundError: there is no such detection.
        QueryDeadlineError: it was not found in time, and may be there.
        QueryError: the text is none of these, or no class was heard.
        InvalidNameError: the class path is not well formed.
    """
    text = text.strip()
    if text.startswith("{"):
        return _of_event(text)
    if match := _ANSWER.fullmatch(text):
        return _answer(int(match[1]), match[2])
    if not _IDENTITY.fullmatch(text):
        raise QueryError(f"{text[:_SHOWN]!r} is no detection: {_HOW}")
    found = reader.find(text, start=start, channel=channel, within_s=within_s)
    if found is None:
        raise DetectionNotFoundError(
            f"there is no detection {text!r}, live or in the archive: ./tidzam detections list shows those that exist; "
            "what a reprocessing heard anew has other ids if another generation heard it"
        )
    return Subject(found.generation, found.class_path, found)


def _of_event(text: str) -> Subject:
    """An object of ``events`` in the answer of ``analyze --json``."""
    if len(text) > _MAX_EVENT:
        raise QueryError(f"the event has more than {_MAX_EVENT} characters: give one event, not all of them")
    try:
        event = json.loads(text)
        generation, class_path = event["generation"], event["class"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise QueryError(
            f"that is no event of analyze --json, which has a generation and a class: {_HOW}"
        ) from error
    if not isinstance(generation, int) or isinstance(generation, bool) or not isinstance(class_path, str):
        raise QueryError(
            "the generation of an event is a whole number, its class a text, as analyze writes them"
        )
    told = {name: event[name] for name in _EVENT_FIELDS if isinstance(event.get(name), str | int | float)}
    return _answer(generation, class_path, told)


def _answer(generation: int, class_path: str, event: Mapping[str, Any] | None = None) -> Subject:
    if not 1 <= generation <= _MAX_GENERATION:
        raise QueryError(f"{generation} is no generation: they count from 1")
    valid_class_path(class_path)
    if class_path == UNKNOWN or is_within(class_path, NO_SIGNAL):
        raise QueryError(
            f"{class_path!r} says that no class was sure, or that it was too quiet: no clips stand behind it"
        )
    return Subject(generation, class_path, event=event or {})
