"""Copies of test clips that came in again, in another group: they follow their original to the test side.

The same bytes are the same clip anyway. A clip that was encoded again, made louder, resampled or cut a little is
another one by its bytes; here it is found by how its energy moves in time and frequency. Only clips of groups that have
no side yet are compared, with the clips of the test side, so a first dataset costs nothing; fingerprints are kept in
the store.
Copies that come in together for the first time are not looked for: name one group for them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from tidzam_platform.audio import read_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip, Group
from tidzam_platform.clips.objects import fingerprint_key
from tidzam_platform.errors import AudioError, ObjectNotFoundError
from tidzam_platform.store import ObjectStore

SAME: Final = 0.9  # correlation; lossy copies reach 0.95 and more, other recordings of one animal 0.5
_RATE_HZ: Final = 8000
_FRAME: Final = 512  # 64 ms
_HOP: Final = 256
_BANDS: Final = 16
_RANGE_DB: Final = 50.0  # below the loudest: what lies lower is the codec's
_SLACK: Final = 8  # frames that a copy may begin before its original, or end after it
_LEAST_FRAMES: Final = 8
_MAX_S: Final = 60.0
_LEAST_SPREAD_DB: Final = 1.0  # a steady sound, or silence, has no course to go by

Fingerprint = NDArray[np.float32]
"""Levels in dB less their mean in time, ``[frames, bands]``; no frames where there is nothing to go by."""


@dataclass(frozen=True)
class Copies:
    """Which clips came back.

    Attributes:
        groups: those without a side that hold a copy of a test clip, each with the group of its original.
        looked_at: the clips that were there to be compared; one that came since may be a copy.
    """

    groups: dict[str, str] = field(default_factory=dict)
    looked_at: frozenset[int] = frozenset()


def groups_of_copies(catalog: Catalog, store: ObjectStore) -> Copies:
    """Look for copies of test clips among the labelled clips of groups without a side."""
    with catalog.reading() as session:
        clips = session.execute(
            select(Clip, Group)
            .join(Group, Clip.group_id == Group.id)
            .where((Group.side == "test") | Group.side.is_(None))
            .where(Clip.id.in_(select(Annotation.clip_id).where(Annotation.superseded_by_id.is_(None))))
            .order_by(Clip.sha256)
        ).all()
    tested = [(clip, group) for clip, group in clips if group.side == "test"]
    fresh = [(clip, group) for clip, group in clips if group.side is None]
    looked_at = frozenset(clip.id for clip, _ in clips)
    if not tested or not fresh:
        return Copies(looked_at=looked_at)
    originals = [(group.key, kept_fingerprint(store, clip)) for clip, group in tested]
    found: dict[str, str] = {}
    for clip, group in fresh:
        if group.key in found:
            continue
        mine = kept_fingerprint(store, clip)
        original = next((key for key, other in originals if are_copies(mine, other)), None)
        if original is not None:
            found[group.key] = original
    return Copies(found, looked_at)


def fingerprint(audio: NDArray[np.float32]) -> Fingerprint:
    """How the energy of float32 ``[samples]`` at 8 kHz moves in time and frequency."""
    frames = (len(audio) - _FRAME) // _HOP + 1
    if frames < _LEAST_FRAMES:
        return np.zeros((0, _BANDS), np.float32)
    cut = np.lib.stride_tricks.sliding_window_view(audio, _FRAME)[::_HOP][:frames]
    power = np.abs(np.fft.rfft(cut * np.hanning(_FRAME), axis=1)) ** 2
    edges = np.unique(np.geomspace(4, power.shape[1], _BANDS + 1).astype(int))
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    levels_db = 10 * np.log10(np.maximum(bands, np.finfo(np.float32).tiny))
    levels_db = np.maximum(levels_db, levels_db.max() - _RANGE_DB)
    course = levels_db - levels_db.mean(axis=0)
    if course.std() < _LEAST_SPREAD_DB:
        return np.zeros((0, _BANDS), np.float32)
    return np.asarray(course, np.float32)


def are_copies(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether the shorter of both is a copy of the other or of a part of it."""
    short, long = sorted((one, other), key=len)
    if not len(short):
        return False
    padded = np.pad(long, ((_SLACK, _SLACK), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(short), axis=0)  # [places, bands, frames]
    rows = np.ascontiguousarray(windows).reshape(len(windows), -1)
    wanted = short.T.reshape(-1)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
    return bool(np.max(rows @ wanted / np.maximum(norms, np.finfo(np.float32).tiny)) >= SAME)


def kept_fingerprint(store: ObjectStore, clip: Clip) -> Fingerprint:
    """The fingerprint of a clip, computed once; that of nothing for one that cannot be heard."""
    key = fingerprint_key(clip.sha256)
    try:
        kept: Any = np.load(io.BytesIO(store.get_bytes(key)), allow_pickle=False)
        return np.asarray(kept, np.float32)
    except ObjectNotFoundError:
        pass
    try:
        with store.as_file(clip.store_key) as path:
            audio = read_audio(path, rate_hz=_RATE_HZ, max_s=_MAX_S).mean(axis=0)
        made = fingerprint(audio)
    except ObjectNotFoundError:  # erased meanwhile
        return np.zeros((0, _BANDS), np.float32)
    except AudioError:
        made = np.zeros((0, _BANDS), np.float32)
    buffer = io.BytesIO()
    np.save(buffer, made.astype(np.float16), allow_pickle=False)
    store.put_bytes(key, buffer.getvalue())
    return made
