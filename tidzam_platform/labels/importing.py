"""Import of label files: what they name is looked up, what they say is written as annotations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import InvalidNameError, LabelError, NothingToLabelError
from tidzam_platform.labels.annotations import import_statements
from tidzam_platform.labels.class_paths import join_label
from tidzam_platform.labels.look_up import SHOWN, LookUp
from tidzam_platform.labels.statement import Statement, Verdict
from tidzam_platform.labels.targets import Target
from tidzam_platform.labels.tracks import TrackLabel, read_track
from tidzam_platform.names import split_channel
from tidzam_platform.store import ObjectStore

TOOL: Final = "label import"
UNSURE_MARK: Final = "?"  # behind a label
ABSENT_MARK: Final = "!"  # before a label
_CHANNEL_IN_LABEL: Final = re.compile(
    r"(?P<name>.*\S)\s*\((?:channel (?P<number>[1-9][0-9]{0,3})|(?P<channel>[\w-]+:out_[1-9][0-9]{0,3}))\)"
)


@dataclass
class TrackReport:
    """What an import did.

    Attributes:
        labels: in the file.
        made: annotations that are new.
        kept: that were there already, or were corrected elsewhere since.
        superseded: that stand no longer.
        withdrawn: that became ``unsure``, since the file does not say them again (``replace``).
        unjudged: rows of detections without a verdict, which say nothing.
        classes: annotations of this file by class.
    """

    labels: int = 0
    made: int = 0
    kept: int = 0
    superseded: int = 0
    withdrawn: int = 0
    unjudged: int = 0
    classes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Said:
    """A label whose words are understood: the statement, and the channel that the words name."""

    row: TrackLabel
    statement: Statement
    channel: int | None


def import_track(
    catalog: Catalog,
    store: ObjectStore,
    path: Path,
    *,
    annotator: str,
    format_name: str = "auto",
    column: str | None = None,
    recording: str | None = None,
    clip: str | None = None,
    channel: int | None = None,
    replace: bool = False,
) -> TrackReport:
    """Write what a file says. The same call twice adds nothing; nothing is written if a row makes no sense.

    Args:
        catalog: where recordings, clips and detections are known.
        store: where old detections lie.
        path: Audacity's track, Raven's table or CSV.
        annotator: who says it.
        format_name: see ``tracks.FORMATS``.
        column: of Raven's table, with the classes.
        recording: number, path or file name of the recording; None: the rows name it, or the file's own name does.
        clip: number or SHA-256 of the clip that the file speaks of.
        channel: of the recording, from 1; None: the rows name it, or the file's own name does.
        replace: what an earlier import of the annotator said of the same channels or clips, and this file does not
            say again, is withdrawn.

    Raises:
        LabelError: the file cannot be read, or a label makes no sense; it says which.
        NothingToLabelError: a recording, clip or detection is not known.
        InvalidNameError: the annotator has no name.
    """
    if recording is not None and clip is not None:
        raise LabelError("a file speaks of a recording or of a clip: give one of the two")
    rows = read_track(path, format_name, column=column)
    said = [_understood(row) for row in rows]
    judged = [one for one in said if one.row.detection is None or one.row.verdict or _marked(one.row)]
    if said and not judged:
        raise LabelError(f"{path}: no row says present, absent or unsure: fill in the column verdict")
    heard = _detections(catalog, store, judged)
    work: dict[Target, list[Statement]] = {}
    with catalog.reading() as session:
        looked_up = LookUp(session, path, recording, clip, channel, heard)
        looked_up.require_one([one.row for one in judged])
        for target in looked_up.whole() if replace else ():
            work[target] = []
        for one in judged:
            work.setdefault(looked_up.target(one.row, one.channel), []).append(one.statement)
    outcome = import_statements(
        catalog,
        list(work.items()),
        annotator=annotator,
        tool=TOOL,
        replaces="all" if replace else "stretch",
    )
    return TrackReport(
        labels=len(rows),
        made=len(outcome.made) - outcome.withdrawn,
        kept=len(outcome.kept),
        superseded=outcome.superseded,
        withdrawn=outcome.withdrawn,
        unjudged=len(said) - len(judged),
        classes=dict(sorted(Counter(one.statement.class_path for one in judged).items())),
    )


def _marked(row: TrackLabel) -> bool:
    return row.label.startswith(ABSENT_MARK) or row.label.endswith(UNSURE_MARK)


def _understood(row: TrackLabel) -> _Said:
    """Marks, case and spaces of a label; LabelError says where it cannot be one."""
    name, channel = row.label, row.channel
    if match := _CHANNEL_IN_LABEL.fullmatch(name):
        named = int(match["number"]) if match["number"] else split_channel(match["channel"])[1]
        name, channel = match["name"], named if channel is None else channel
    verdict = row.verdict.lower() if row.verdict else None
    for marked, mark in ((name.startswith(ABSENT_MARK), "absent"), (name.endswith(UNSURE_MARK), "unsure")):
        if marked and verdict not in (None, mark):
            raise LabelError(f"{row.where}: {row.label!r} is marked as {mark}, but the verdict is {verdict}")
        verdict = mark if marked else verdict
    name = name.removeprefix(ABSENT_MARK).removesuffix(UNSURE_MARK)
    whole = row.detection is not None  # a detection has its own times
    try:
        statement = Statement(
            join_label(_words(name), _words(row.parent or "")),
            cast(Verdict, verdict or "present"),
            None if whole else row.start_s,
            None if whole else row.end_s,
            row.low_hz,
            row.high_hz,
        )
    except (LabelError, InvalidNameError) as error:
        raise LabelError(f"{row.where}: {error}") from error
    return _Said(row, statement, channel)


def _words(text: str) -> str:
    """``American Crow`` as a class's name: case and spaces do not count."""
    return "_".join(text.lower().split())


def _detections(catalog: Catalog, store: ObjectStore, judged: Sequence[_Said]) -> dict[str, Detection]:
    wanted = {one.row.detection: one.row.heard_at for one in judged if one.row.detection is not None}
    found = DetectionReader(catalog, store).find_many(wanted) if wanted else {}
    if missing := [identity for identity in wanted if identity not in found]:
        raise NothingToLabelError(
            f"{len(missing)} detections are not known: {', '.join(missing[:SHOWN])}; export them anew"
        )
    return found
