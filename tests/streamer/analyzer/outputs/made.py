"""Detections and files of outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from streamer.analyzer.outputs.kinds import Specification, load_outputs, make_output
from streamer.analyzer.outputs.message import Message, message_of
from streamer.analyzer.outputs.output import Output
from tidzam_platform.analyzer_sections import OutputsSettings
from tidzam_platform.detections.detection import Detection

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def detection(number: int = 0, **more: Any) -> Detection:
    """The ``number``-th of a day, one each two seconds."""
    start = NOON + timedelta(seconds=2 * number)
    given: dict[str, Any] = {
        "id": f"{number:024x}",
        "generation": 4,
        "channel": "marsh:out_1",
        "start": start,
        "end": start + timedelta(seconds=1),
        "class_path": "birds-crow",
        "score": 0.875,
    }
    return Detection(**given | more)


def detections(count: int, first: int = 0) -> list[Detection]:
    return [detection(number) for number in range(first, first + count)]


def message(number: int = 0, **more: Any) -> Message:
    return message_of(detection(number, **more), NOON)


def messages(count: int, first: int = 0) -> list[Message]:
    return [message(number) for number in range(first, first + count)]


def ids(told: Iterable[Detection | Message]) -> list[str]:
    return [one.id for one in told]


def private(file: Path, text: str) -> Path:
    """A secret's file."""
    file.touch(0o600)
    file.write_text(f"{text}\n")
    return file


def outputs_file(folder: Path, text: str) -> Path:
    """A file of outputs that may connect to this machine."""
    file = folder / "outputs.toml"
    file.write_text(text.replace("[[output]]", "[[output]]\nprivate_addresses = true"))
    return file


def outputs_settings(folder: Path, text: str, **more: Any) -> OutputsSettings:
    return OutputsSettings(file=outputs_file(folder, text), **more)


def specification(folder: Path, text: str) -> Specification:
    """The one output of a file."""
    (found,) = load_outputs(outputs_file(folder, f"[[output]]\n{text}"))
    return found


def plug_in(folder: Path, text: str) -> Output:
    """The plug-in of the one output of a file; to be closed."""
    return make_output(specification(folder, text), identity="abcdef01")


def deliver_all(output: Output, told: Sequence[Message]) -> None:
    """As the delivery's thread does while all is well."""
    waiting = list(told)
    while waiting:
        del waiting[: output.deliver(waiting[: output.batch])]


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    begin_s = time.monotonic()
    action()
    return time.monotonic() - begin_s
