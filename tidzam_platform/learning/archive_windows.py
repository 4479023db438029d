"""Stretches of the archive that a label would teach something: detections that the newest hearing was least sure of.

Whole archives cannot be heard anew for each ranking; what was detected, and with what score, is known already. Only a
few recordings are decoded, those with the most of such detections.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from tidzam_platform.archive import recording_at
from tidzam_platform.audio import decode_blocks
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, DetectionFile, LiveDetection, Recording
from tidzam_platform.classifiers.features import ClipFeatures, clip_features
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.query import DetectionQuery
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import AudioError
from tidzam_platform.names import split_channel
from tidzam_platform.store import ObjectStore

MAX_LOOKED_AT: Final = 50_000  # detections, the newest first
MAX_RECORDINGS: Final = 24
MAX_WINDOW_S: Final = 10.0  # of a longer detection the beginning is shown
_IDS: Final = 500  # of one look into the catalog


@dataclass(frozen=True)
class ArchiveWindow:
    """A detection in a recording, its features, and nobody's label."""

    detection: Detection
    features: ClipFeatures


def archive_windows(
    catalog: Catalog, store: ObjectStore, front_end: FrontEnd, count: int
) -> list[ArchiveWindow]:
    """The ``count`` detections of the archive with the least scores that nobody labelled, where their audio is.

    Of the newest generation that heard the archive. A recording that cannot be read is passed over: the index tells
    of it.
    """
    if count < 1:
        return []
    with catalog.reading() as session:
        number = session.scalar(select(func.max(DetectionFile.generation)))
        number = number or session.scalar(select(func.max(LiveDetection.generation)))
    if number is None:
        return []
    query = DetectionQuery(generations=(number,), newest_first=True)
    newest = islice(DetectionReader(catalog, store).all(query), MAX_LOOKED_AT)
    least = heapq.nsmallest(2 * count, newest, key=lambda one: (one.score, one.channel, one.start))
    once = {
        window_item(one): one for one in reversed(_unlabelled(catalog, least))
    }  # of several classes the least
    chosen = list(reversed(once.values()))[:count]
    windows: list[ArchiveWindow] = []
    for recording, detections in _by_recording(catalog, chosen):
        try:
            windows += _cut(recording, detections, front_end)
        except AudioError:
            continue
    return windows


def _unlabelled(catalog: Catalog, detections: Sequence[Detection]) -> list[Detection]:
    """Those of which, and over which, nobody said anything."""
    kept: list[Detection] = []
    with catalog.reading() as session:
        for first in range(0, len(detections), _IDS):
            some = detections[first : first + _IDS]
            said = select(Annotation.channel, Annotation.start, Annotation.end).where(
                Annotation.channel.in_({one.channel for one in some}),
                Annotation.superseded_by_id.is_(None),
                Annotation.end > min(one.start for one in some),
                Annotation.start < max(one.end for one in some),
            )
            stretches = session.execute(said).all()
            kept += [
                one
                for one in some
                if not any(
                    channel == one.channel and start and end and start < one.end and end > one.start
                    for channel, start, end in stretches
                )
            ]
    return kept


def _by_recording(
    catalog: Catalog, detections: Sequence[Detection]
) -> list[tuple[Recording, list[Detection]]]:
    """Detections by the recording that holds them, those with the most first; at most ``MAX_RECORDINGS``."""
    found: dict[int, Recording] = {}
    held: defaultdict[int, list[Detection]] = defaultdict(list)
    with catalog.reading() as session:
        for one in detections:
            recording = recording_at(session, split_channel(one.channel)[0], one.start)
            if recording is not None:
                found[recording.id] = recording
                held[recording.id].append(one)
    most = sorted(held, key=lambda number: (-len(held[number]), number))[:MAX_RECORDINGS]
    return [(found[number], held[number]) for number in most]


def _cut(recording: Recording, detections: Sequence[Detection], front_end: FrontEnd) -> list[ArchiveWindow]:
    """Features of the detections; the recording is decoded once, up to the last of them."""
    rate = front_end.rate_hz
    places = []
    for one in detections:
        first = max(0, round((one.start - recording.start).total_seconds() * rate))
        seconds = min(MAX_WINDOW_S, max((one.end - one.start).total_seconds(), front_end.window_s))
        places.append((first, first + round(seconds * rate), split_channel(one.channel)[1] - 1))
    parts: list[list[npt.NDArray[np.float32]]] = [[] for _ in places]
    end = max(last for _, last, _ in places)
    with closing(decode_blocks(Path(recording.path), rate_hz=rate)) as blocks:
        for block in blocks:
            if block.start_frame >= end:
                break
            for part, (first, last, channel) in zip(parts, places, strict=True):
                begin, stop = max(first - block.start_frame, 0), last - block.start_frame
                if stop > 0 and begin < block.samples.shape[1] and channel < len(block.samples):
                    part.append(block.samples[channel, begin:stop].copy())
    windows = []
    for one, part in zip(detections, parts, strict=True):
        if part:
            log_mel, offsets = clip_features(np.concatenate(part), front_end)
            features = ClipFeatures(one.id, log_mel, offsets, (), one.channel, "train")
            windows.append(ArchiveWindow(one, features))
    return windows


def window_item(detection: Detection) -> str:
    """How a stretch of the archive is called in the queue: ``<channel>@<start>``."""
    start = detection.start.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{detection.channel}@{start}"


def window_end(detection: Detection) -> timedelta:
    """How long the stretch is that is shown."""
    return min(detection.end - detection.start, timedelta(seconds=MAX_WINDOW_S))
