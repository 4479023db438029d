"""What people do with outputs from the command line, whether the analyzer runs or not: at the queues' files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamer.analyzer.outputs.delivery import STATE_NOTE
from streamer.analyzer.outputs.kinds import Specification, load_outputs, make_output
from streamer.analyzer.outputs.message import message_to_try
from streamer.analyzer.outputs.message_file import Failed, MessageFile
from streamer.analyzer.outputs.places import ENDING, identity_of, queue_file, queue_folder
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import RuleError
from tidzam_platform.settings import Settings


def list_outputs(settings: Settings) -> list[dict[str, Any]]:
    """Every output of the file with what waits for it, and queues whose output is in the file no more.

    Raises:
        RuleError: the file makes no sense.
        OutputError: a queue cannot be opened.
    """
    known = _specifications(settings)
    listed = [
        {
            "name": one.name,
            "kind": one.kind,
            "to": one.target,
            "messages": list(one.told),
            "enabled": one.enabled,
            **_looked_into(settings, one.name),
        }
        for one in known
    ]
    names = {one.name for one in known}
    for file in sorted(queue_folder(settings.home).glob(f"*{ENDING}")):
        name = file.name.removesuffix(ENDING)
        if name not in names:
            without = {"name": name, "kind": "", "to": "", "messages": [], "enabled": False}
            listed.append({**without, **_looked_into(settings, name)})
    return listed


def failed_messages(settings: Settings, name: str, limit: int) -> list[Failed]:
    """What the output refused for good, the newest first; RuleError if there is no such output."""
    _require_known(settings, name)
    with _opened(settings, name) as queue:
        return [] if queue is None else queue.failed(limit)


def retry_failed(settings: Settings, name: str, identity: str | None = None) -> int:
    """Let what it refused, or the message of that id, wait again; returns how many.

    Raises:
        RuleError: there is no such output, or no message of that id was refused.
    """
    _require_known(settings, name)
    with _opened(settings, name) as queue:
        retried = 0 if queue is None else queue.retry(identity)
    if identity is not None and not retried:
        raise RuleError(
            f"{name} has refused no message {identity!r}; ./tidzam outputs failed {name} lists them"
        )
    return retried


def try_output(settings: Settings, name: str) -> str:
    """Tell a test message, beside the analyzer and past the queue; returns what was done, for people.

    Raises:
        RuleError: there is no such output.
        OutputError: it was not reached, or refused it.
    """
    specification = next((one for one in _specifications(settings) if one.name == name), None)
    if specification is None:
        raise _unknown(settings, name)
    output = make_output(specification, identity=identity_of(settings.home), is_trial=True)
    try:
        return output.try_out(message_to_try(utc_now()))
    finally:
        output.close()


def failed_as_dict(failed: Failed) -> dict[str, Any]:
    """For JSON."""
    return asdict(failed)


def _specifications(settings: Settings) -> tuple[Specification, ...]:
    file = settings.outputs.file
    return () if file is None else load_outputs(file)


def _looked_into(settings: Settings, name: str) -> dict[str, Any]:
    with _opened(settings, name) as queue:
        if queue is None:
            return {"waiting": 0, "failed": 0, "delivered": 0, "dropped": 0, "state": "new", "reason": ""}
        told = json.loads(queue.notes().get(STATE_NOTE, "{}"))
        return {
            "waiting": queue.totals["waiting"],
            "failed": queue.failed_count(),
            "delivered": queue.totals["delivered"],
            "dropped": queue.totals["dropped"],
            "state": str(told.get("state", "up")),
            "reason": str(told.get("reason", "")),
        }


@contextmanager
def _opened(settings: Settings, name: str) -> Iterator[MessageFile | None]:
    """The queue; None where none has been made."""
    file = queue_file(settings.home, name)
    if not file.exists():
        yield None
        return
    outputs = settings.outputs
    queue = MessageFile(file, max_bytes=outputs.queue_mb << 20, keep_failed=outputs.keep_failed, mends=False)
    try:
        yield queue
    finally:
        queue.close()


def _require_known(settings: Settings, name: str) -> None:
    if any(one.name == name for one in _specifications(settings)):
        return
    if Path(name).name == name and queue_file(settings.home, name).exists():  # of one that was in the file
        return
    raise _unknown(settings, name)


def _unknown(settings: Settings, name: str) -> RuleError:
    file = settings.outputs.file
    if file is None:
        return RuleError(
            f"there is no output {name!r}: outputs.file of the settings names no file (docs/outputs.md)"
        )
    names = ", ".join(one.name for one in _specifications(settings)) or "none"
    return RuleError(f"there is no output {name!r} in {file}; there are: {names}")
