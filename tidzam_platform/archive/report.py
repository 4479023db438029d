"""What an indexing run answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

NAMED_AT_MOST: Final = 20  # of a million stray files a person reads no more


def printable(text: str) -> str:
    """``text`` with the bytes of a path that are no UTF-8 written as escapes."""
    return text.encode(errors="backslashreplace").decode()


@dataclass
class FirstFew:
    """Counts all remarks and keeps the first ``NAMED_AT_MOST``: no folder can fill memory or a screen."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, remark: str) -> None:
        """Count ``remark``, and keep it if it is among the first."""
        self.count += 1
        if self.count <= NAMED_AT_MOST:
            self.named.append(printable(remark))

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines())

    def lines(self) -> list[str]:
        """The remarks kept, and how many more there were."""
        more = self.count - len(self.named)
        return [*self.named, f"and {more} more"] if more else list(self.named)


@dataclass
class IndexReport:
    """What was found below ``folder`` and what changed in the catalog.

    ``recordings`` = ``added`` + ``changed`` + ``moved`` + ``unchanged`` + those ``unusable`` ones that could
    not even be read (nothing is kept of them, the next run tries again).
    """

    folder: Path
    recordings: int = 0  # files with a name of the archive
    added: int = 0
    changed: int = 0  # the same file with other bytes, e.g. one that was still being written
    moved: int = 0  # the same bytes in another place, while the file at the old place is gone
    unchanged: int = 0
    removed: int = 0  # their file is gone, and so is their row
    unusable: FirstFew = field(default_factory=FirstFew)  # "path: reason"
    ignored: FirstFew = field(default_factory=FirstFew)  # names of another pattern
    warnings: FirstFew = field(default_factory=FirstFew)
    sources: tuple[str, ...] = ()
    days: tuple[date, ...] = ()  # UTC days that usable recordings of this folder touch
    channels: tuple[int, ...] = ()  # the different numbers of channels

    def as_json(self) -> dict[str, Any]:
        """For ``--json``: counts, and what is named in lists of bounded length."""
        return {
            "folder": printable(str(self.folder)),
            "recordings": self.recordings,
            "added": self.added,
            "changed": self.changed,
            "moved": self.moved,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "unusable": self.unusable.count,
            "unusable_files": self.unusable.lines(),
            "ignored": self.ignored.count,
            "ignored_files": self.ignored.lines(),
            "warnings": self.warnings.lines(),
            "sources": list(self.sources),
            "days": [day.isoformat() for day in self.days],
            "channels": list(self.channels),
        }
