"""What an engine is given: recordings, and what to do with each. Both travel to other processes as JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Self

from tidzam_platform.settings import Settings

_FINGERPRINT_LENGTH: Final = 16


@dataclass(frozen=True)
class RecordingItem:
    """One recording to be heard.

    Attributes:
        recording_id: its row in the catalog.
        path: of the file, readable where it is heard.
        sha256: of its bytes when it was indexed.
        size_bytes: and ``mtime_ns``: what the file system said then; a file that differs is not heard.
        source: name of its source.
        start: aware UTC of its first sample.
        seconds: length of its time axis.
    """

    recording_id: int
    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    source: str
    start: datetime
    seconds: float

    @property
    def fingerprint(self) -> str:
        """Of all that its detections depend on: bytes, source and start."""
        text = f"{self.sha256}|{self.source}|{self.start.isoformat()}"
        return hashlib.sha256(text.encode()).hexdigest()[:_FINGERPRINT_LENGTH]

    @property
    def end(self) -> datetime:
        """Aware UTC, one past its last sample."""
        return self.start + timedelta(seconds=self.seconds)

    def touches(self, day: date) -> bool:
        """Whether any of it lies on a day (UTC)."""
        midnight = datetime.combine(day, time(), UTC)
        return self.start < midnight + timedelta(days=1) and self.end > midnight

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "start": self.start.isoformat()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of ``to_dict``."""
        return cls(**{**values, "start": datetime.fromisoformat(values["start"])})


@dataclass(frozen=True)
class WorkerTask:
    """What is done with each recording: which generation listens, and where the parts go.

    Attributes:
        settings: of the home, whose model repository and store the worker must reach.
        generation: its number.
        prefix: of the keys of the parts, see ``serving.reprocessing.parts``.
    """

    settings: Settings
    generation: int
    prefix: str

    def to_json(self) -> str:
        """One line for another process."""
        return json.dumps(
            {
                "settings": self.settings.model_dump(mode="json"),
                "generation": self.generation,
                "prefix": self.prefix,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of ``to_json``; what the variables of this process say does not matter."""
        values = json.loads(text)
        return cls(Settings(**values["settings"]), values["generation"], values["prefix"])
