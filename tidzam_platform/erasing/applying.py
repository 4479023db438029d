"""Erasing what a plan names, one recording and one clip after the other, each of them in the audit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from tidzam_platform.archive.erased_tag import joined
from tidzam_platform.catalog.tables import AuditEntry, DatasetVersion, Recording
from tidzam_platform.clips.removal import finish_removals
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.crash_points import reach
from tidzam_platform.datasets.build import ERASED_CLIPS
from tidzam_platform.erasing.files import erase_file
from tidzam_platform.erasing.planning import ClipToErase, ErasingPlan, RecordingPart
from tidzam_platform.errors import ArchiveError, SettingsError, TidzamError
from tidzam_platform.files import exclusive
from tidzam_platform.home import Home
from tidzam_platform.retention.clip_rows import forget_clips
from tidzam_platform.retention.clips import OldClip, removal_journal, remove_clips

ACTION: Final = "audio.erase"
_MAX_REASON: Final = 1000


@dataclass
class ErasingReport:
    """What was erased.

    Attributes:
        recordings: paths.
        seconds: of audio in them that was asked for; whole packets became silence, so that it is a bit more.
        clips: SHA-256 of those that are gone.
        versions: dataset versions that lack clips now.
        failed: recordings that could not be erased, and why.
    """

    recordings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    clips: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass
class _Audit:
    """The entry of one erasing, which grows with what is done."""

    plan: ErasingPlan
    by: str
    reason: str
    id: int | None = None
    recordings: list[dict[str, Any]] = field(default_factory=list)
    clips: list[str] = field(default_factory=list)

    def keep(self, session: Session) -> None:
        """Write it, in the transaction of what was done."""
        entry = None if self.id is None else session.get(AuditEntry, self.id)
        if entry is None:
            entry = AuditEntry(at=utc_now(), by=self.by, action=ACTION, reason=self.reason, details={})
            session.add(entry)
        request = self.plan.request
        entry.details = {
            "class_path": request.class_path,
            "source": request.source,
            "from": format_utc(request.since),
            "to": format_utc(request.until),
            "detections": self.plan.detections,
            "recordings": list(self.recordings),
            "clips": list(self.clips),
        }
        session.flush()
        self.id = entry.id


def erase(home: Home, plan: ErasingPlan, *, by: str, reason: str) -> ErasingReport:
    """Do what a plan says. It may be killed at any moment: the same plan, made again, names what is left.

    Args:
        home: whose audio.
        plan: from ``plan_erasing``.
        by: who does it.
        reason: why; kept in the audit.

    Raises:
        SettingsError: no reason, or a very long one.
        BusyError: another erasing, or retention, is at work.
    """
    if not reason.strip() or len(reason) > _MAX_REASON:
        raise SettingsError(f"say why, in 1 to {_MAX_REASON} characters: the audit keeps it")
    report, audit = ErasingReport(), _Audit(plan, by, reason.strip())
    with exclusive(home.settings.locks_folder / "retention", "retention or erasing"):
        for part in plan.recordings:
            try:
                _erase_recording(home, part, audit, report)
            except (TidzamError, OSError) as error:  # the others are no less urgent
                report.failed.append(f"{part.path}: {error}")
        _erase_clips(home, plan.clips, audit, report)
    return report


def _erase_recording(home: Home, part: RecordingPart, audit: _Audit, report: ErasingReport) -> None:
    path = Path(part.path)
    if not path.is_file():
        raise ArchiveError(f"{path} is not there: index the archive anew")
    done = erase_file(path, part.spans)
    reach("erasing.file")
    with home.catalog.session() as session:
        row = session.get(Recording, part.id)
        if row is not None and row.path == part.path:
            before = row.sha256
            row.sha256, row.size_bytes, row.mtime_ns = done.sha256, done.size_bytes, done.mtime_ns
            known = [(float(start_s), float(end_s)) for start_s, end_s in row.holes]
            row.holes = [list(span) for span in joined([*known, *done.spans])]
            audit.recordings.append(
                {
                    "path": part.path,
                    "sha256_before": before,
                    "sha256": done.sha256,
                    "asked_s": [list(span) for span in part.spans],
                    "silent_s": [list(span) for span in done.spans],
                    "way": done.way,
                }
            )
        audit.keep(session)
    reach("erasing.row")
    report.recordings.append(part.path)
    report.seconds += sum(end_s - start_s for start_s, end_s in part.spans)


def _erase_clips(home: Home, clips: list[ClipToErase], audit: _Audit, report: ErasingReport) -> None:
    journal = removal_journal(home)
    finish_removals(home.catalog, home.store, journal)
    by_id = {clip.id: clip for clip in clips}

    def take_row(session: Session, old: OldClip) -> bool:
        clip = by_id[old.id]
        # Before the row: a run that is killed finds the clip again, and with it what is left of these.
        _remove_copies(home, clip.sha256)
        if not forget_clips(session, [clip.id]):
            return False
        for version in clip.versions:
            row = session.get(DatasetVersion, version)
            if row is not None:
                erased = {*row.summary.get(ERASED_CLIPS, ()), clip.sha256}
                row.summary = {**row.summary, ERASED_CLIPS: sorted(erased)}
        audit.clips.append(clip.sha256)
        audit.keep(session)
        return True

    gone = remove_clips(home, journal, [OldClip(clip.id, clip.store_key, 0) for clip in clips], take_row)
    if gone:  # copies of objects of a distant store, which may be removed at any time
        shutil.rmtree(home.settings.store_cache_folder, ignore_errors=True)
    for old in gone:
        clip = by_id[old.id]
        report.clips.append(clip.sha256)
        report.versions = sorted({*report.versions, *clip.versions})


def _remove_copies(home: Home, sha256: str) -> None:
    """What was made of a clip's audio on this machine: stretched copies for training, and features for ranking."""
    cache = home.settings.home / "cache"
    for copy in (*cache.glob(f"variants/*/{sha256}-*"), *cache.glob(f"learning/*/{sha256}.npz")):
        copy.unlink(missing_ok=True)
