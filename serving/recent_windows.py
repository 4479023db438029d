"""The shadow run of the gate: recent windows that the generation in service and a candidate both hear."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import select

from serving.analysis import BATCH_WINDOWS, Model
from serving.shadow.comparison import Side, compare
from serving.shadow.figures import Figures
from serving.shadow.origins import WindowOrigin
from serving.shadow.records import figures_of, of_pair
from tidzam_platform.audio import Window, cut_windows, decode_blocks, holes_in_frames, probe
from tidzam_platform.catalog.tables import Recording, ShadowHour
from tidzam_platform.classifiers.gate import ShadowEvidence
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import AudioError
from tidzam_platform.home import Home

_LOG = logging.getLogger("tidzam.gate")
_RECORDINGS: Final = 8  # the newest, which share the windows


def recorded_shadow(home: Home, stable: int, canary: int) -> ShadowEvidence | None:
    """What was counted of live windows while the one was stable and the other its canary; None if nothing was."""
    with home.catalog.reading() as session:
        rows = session.scalars(select(ShadowHour).where(of_pair(ShadowHour, (stable, canary)))).all()
    if not rows:
        return None
    total = figures_of(rows)
    return _evidence(total.figures, f"live, {format_utc(total.first_at)} to {format_utc(total.last_at)}")


def run_shadow(home: Home, stable: Model, candidate: Model) -> ShadowEvidence | None:
    """Let both hear the newest recordings, as far as ``gate.shadow_windows`` goes; None if there are none.

    The windows lie on the grid of the generation in service; where the candidate has other windows nothing is heard.
    """
    most = home.settings.gate.shadow_windows
    ours, theirs = candidate.describe(), stable.describe()
    same_form = (ours.rate_hz, ours.window_frames) == (theirs.rate_hz, theirs.window_frames)
    with home.catalog.reading() as session:
        newest = session.scalars(
            select(Recording)
            .where(Recording.error.is_(None))
            .order_by(Recording.start.desc())
            .limit(_RECORDINGS)
        ).all()
    if not (most and newest and same_form):
        return None
    sides = Side(theirs, home.settings.decision), Side(ours, home.settings.decision)
    figures = Figures()
    for recording in newest:
        try:
            for origins, windows in _batches(recording, stable, -(-most // len(newest))):
                answers = stable.predict_windows(windows), candidate.predict_windows(windows)
                counted, _ = compare(*sides, *answers, origins)
                figures.merge(counted)
        except AudioError as error:
            _LOG.warning("%s cannot be heard for the shadow run: %s", recording.path, error)
    if not figures.windows + figures.unusable:
        return None
    return _evidence(figures, f"of the {len(newest)} newest recordings, since {format_utc(newest[-1].start)}")


def _batches(
    recording: Recording, model: Model, most: int
) -> Iterator[tuple[list[WindowOrigin], list[Window]]]:
    """About ``most`` windows of a recording, all channels of some moments together."""
    path, description = Path(recording.path), model.describe()
    info = probe(path)
    windows = cut_windows(
        decode_blocks(path, rate_hz=description.rate_hz, info=info),
        window_frames=description.window_frames,
        hop_frames=description.hop_frames,
        holes=holes_in_frames(info, description.rate_hz),
    )
    left = max(1, most // info.channels)
    while left > 0 and (batch := list(islice(windows, min(left, max(1, BATCH_WINDOWS // info.channels))))):
        left -= len(batch)
        yield (
            [
                WindowOrigin(
                    f"{path.name}:{channel + 1}", f"{window.start_frame / description.rate_hz:.3f} s"
                )
                for window in batch
                for channel in range(info.channels)
            ],
            batch,
        )


def _evidence(figures: Figures, origin: str) -> ShadowEvidence:
    return ShadowEvidence(
        origin,
        figures.windows,
        figures.quiet,
        figures.agreed,
        figures.unusable,
        dict(figures.stable.heard),
        dict(figures.canary.heard),
    )
