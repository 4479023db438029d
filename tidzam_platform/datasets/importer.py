"""Import of labelled files: audio into the store, clips and annotations into the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tidzam_platform import crash_points
from tidzam_platform.audio import AudioInfo, probe
from tidzam_platform.audio.opening import opened
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, Group
from tidzam_platform.clips.objects import audio_key
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import AudioError
from tidzam_platform.files import sha256_of_handle
from tidzam_platform.labels.annotations import import_of_clip
from tidzam_platform.labels.csv_reader import read_label_csv
from tidzam_platform.labels.folder_reader import read_label_folder
from tidzam_platform.labels.labelled_file import LabelledFile
from tidzam_platform.labels.statement import Statement
from tidzam_platform.store import ObjectStore

TOOL: Final = "import"
_BATCH: Final = 32  # files a transaction
_PROBES: Final = 4  # files looked at once: each may wait for a decoder's process


@dataclass
class ImportReport:
    """What an import did. ``skipped`` files were there already, with the same labels.

    ``classes`` counts the clips of this import that the catalog holds after it; a copy counts once.
    """

    added: int = 0
    relabelled: int = 0
    skipped: int = 0
    unusable: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _StoredFile:
    entry: LabelledFile
    sha256: str
    info: AudioInfo | None  # None: the catalog knows the clip
    store_key: str


def read_labels(path: Path) -> list[LabelledFile]:
    """Labels from a CSV file or from a folder with one folder a class."""
    return read_label_folder(path) if path.is_dir() else read_label_csv(path)


def import_labels(
    catalog: Catalog,
    store: ObjectStore,
    entries: Sequence[LabelledFile],
    *,
    annotator: str,
    progress: Callable[[int], None] = lambda _more: None,
) -> ImportReport:
    """Bring labelled files in. The same call twice adds nothing; after kill -9 the same call completes it.

    What this annotator said of a clip in an earlier import is superseded where the labels changed; what was
    corrected elsewhere since stays corrected. A clip keeps the group that it was first given. A file that cannot be
    used is reported and the others go on.
    """
    report = ImportReport()
    classes = Counter[str]()
    hashed = _hash_and_merge(entries, report)
    pending = iter(hashed.items())
    while batch := list(islice(pending, _BATCH)):
        with ThreadPoolExecutor(_PROBES) as probes:
            jobs = [(entry, probes.submit(_store, catalog, store, entry, sha256)) for sha256, entry in batch]
        stored = []
        for entry, job in jobs:
            try:
                stored.append(job.result())
            except AudioError as error:
                report.unusable.append({"file": str(entry.path), "error": str(error)})
        crash_points.reach("import.stored")
        with catalog.session() as session:
            for item in stored:
                _record(session, item, annotator, report)
                classes.update(item.entry.class_paths)
            crash_points.reach("import.recorded")
        crash_points.reach("import.committed")
        progress(len(batch))
    report.classes = dict(sorted(classes.items()))
    return report


def _hash_and_merge(entries: Sequence[LabelledFile], report: ImportReport) -> dict[str, LabelledFile]:
    """Entries by the hash of their audio; copies of one file become one entry with the classes of all."""
    merged: dict[str, LabelledFile] = {}
    for entry in entries:
        try:
            with opened(entry.path) as handle:
                sha256 = sha256_of_handle(handle)
        except AudioError as error:
            report.unusable.append({"file": str(entry.path), "error": f"{entry.where}: {error}"})
            continue
        first = merged.get(sha256)
        if first is None:
            merged[sha256] = entry
            continue
        report.skipped += 1
        report.warnings.append(f"{entry.where}: the same audio as {first.path} at {first.where}; kept once")
        merged[sha256] = replace(first, class_paths=tuple(sorted({*first.class_paths, *entry.class_paths})))
    return merged


def _store(catalog: Catalog, store: ObjectStore, entry: LabelledFile, sha256: str) -> _StoredFile:
    """Copy the audio into the store unless the catalog knows it. The key is the hash of the bytes."""
    with catalog.reading() as session:
        known = session.scalar(select(Clip.store_key).where(Clip.sha256 == sha256))
    if known is not None:
        return _StoredFile(entry, sha256, None, known)
    info = probe(entry.path)
    key = audio_key(sha256, info.container)
    store.put_file(key, entry.path)
    return _StoredFile(entry, sha256, info, key)


def _record(session: Session, item: _StoredFile, annotator: str, report: ImportReport) -> None:
    clip = session.scalar(select(Clip).where(Clip.sha256 == item.sha256))
    is_new = clip is None
    if clip is None:
        clip = _new_clip(session, item)
    elif item.entry.group and clip.group.key != _group_key(item):
        report.warnings.append(
            f"{item.entry.where}: the clip keeps its group {clip.group.key!r}; {item.entry.group!r} is not taken"
        )
    said = import_of_clip(
        session, clip, [Statement(name) for name in item.entry.class_paths], annotator=annotator, tool=TOOL
    )
    if is_new:
        report.added += 1
    elif said.made or said.superseded:
        report.relabelled += 1
    else:
        report.skipped += 1


def _new_clip(session: Session, item: _StoredFile) -> Clip:
    if item.info is None:
        raise AssertionError("a clip that the catalog did not know was not probed")
    key = _group_key(item)
    group = session.scalar(select(Group).where(Group.key == key))
    clip = Clip(
        sha256=item.sha256,
        store_key=item.store_key,
        codec=item.info.codec,
        rate_hz=item.info.rate_hz,
        channels=item.info.channels,
        seconds=item.info.seconds,
        group=group or Group(key=key),
        origin={"imported_as": item.entry.path.name},
        added_at=utc_now(),
    )
    session.add(clip)
    session.flush()
    return clip


def _group_key(item: _StoredFile) -> str:
    return f"import/{item.entry.group}" if item.entry.group else f"clip/{item.sha256}"
