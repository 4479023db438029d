"""When each rule was told last, kept over restarts: ``alerts.json`` in the home."""

from __future__ import annotations

import json
import logging
import threading
from datetime import datetime
from pathlib import Path
from typing import Final

from tidzam_platform import files
from tidzam_platform.clock import parse_utc
from tidzam_platform.errors import TidzamError

_LOG = logging.getLogger(__name__)
KEPT_FILE: Final = "alerts.json"
MAX_KEPT: Final = 10_000
_MAX_BYTES: Final = 8 << 20
_BETWEEN: Final = "\n"  # neither names of rules nor channels hold it


class Cooldowns:
    """When each rule was told last of each channel, UTC; safe to use from several threads.

    ``save`` writes; nothing else waits for the disk.
    """

    def __init__(self, home: Path) -> None:
        self._file = home / KEPT_FILE
        self._lock = threading.Lock()
        self._told = _load(self._file)
        self._changed = False

    def holds(self, rule: str, channel: str, at: datetime, cooldown_s: float) -> bool:
        """Whether the rule was told of the channel less than ``cooldown_s`` from ``at``, before or after it."""
        with self._lock:
            told = self._told.get(_key(rule, channel))
        return told is not None and abs((at - told).total_seconds()) < cooldown_s

    def note(self, rule: str, channel: str, at: datetime) -> None:
        """It is told now."""
        with self._lock:
            key = _key(rule, channel)
            self._told.pop(key, None)
            self._told[key] = at
            while len(self._told) > MAX_KEPT:
                del self._told[next(iter(self._told))]
            self._changed = True

    def save(self) -> None:
        """Write what has changed; a disk that refuses is logged and tried again with the next change."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            told = {key: at.isoformat() for key, at in self._told.items()}
        try:
            files.write_whole(self._file, json.dumps({"told": told}, ensure_ascii=False).encode())
        except OSError as error:
            _LOG.warning("%s cannot be written: %s; after a restart alerts may come again", self._file, error)


def _key(rule: str, channel: str) -> str:
    return f"{rule}{_BETWEEN}{channel}"


def _load(file: Path) -> dict[str, datetime]:
    """What was kept; nothing where it cannot be read, which costs an alert more and no start."""
    try:
        told = _read(file)
    except FileNotFoundError:
        return {}
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
        TidzamError,
    ) as error:
        _LOG.warning("%s cannot be read (%s): alerts may come again before their cooldown", file, error)
        return {}
    return dict(list(told.items())[-MAX_KEPT:])


def _read(file: Path) -> dict[str, datetime]:
    with file.open("rb") as handle:
        content = json.loads(handle.read(_MAX_BYTES))  # cut off it is no JSON any more
    return {str(key): parse_utc(at) for key, at in content["told"].items()}
