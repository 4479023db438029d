"""The newest frozen test sets of a home, as the gate takes them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import select

from tidzam_platform.catalog.tables import Recording, TestSet
from tidzam_platform.classifiers.evaluation.events import Stretch, TimedLabel
from tidzam_platform.classifiers.gate import TestChannel, TestClip
from tidzam_platform.classifiers.gate.scores import ClipReader, clips_of
from tidzam_platform.datasets.taxonomy import Taxonomy
from tidzam_platform.datasets.taxonomy_changes import read_taxonomy
from tidzam_platform.datasets.test_rows import Kind, TestRow, clip_manifest
from tidzam_platform.datasets.test_sets import freeze_test_sets, load_test_set, newest_test_sets
from tidzam_platform.home import Home

_LOG = logging.getLogger("tidzam.gate")


@dataclass
class FrozenSets:
    """The newest sets of a home, read once.

    Args:
        home: whose.
        sets: by kind.
        taxonomy: today's.
    """

    home: Home
    sets: Mapping[Kind, TestSet]
    taxonomy: Taxonomy

    @classmethod
    def of(cls, home: Home, *, freeze: bool = True) -> FrozenSets:
        """The newest sets; with ``freeze`` those of what is labelled now are made first."""
        sets = freeze_test_sets(home.catalog, home.store) if freeze else newest_test_sets(home.catalog)
        return cls(home, sets, read_taxonomy(home.catalog))

    def rows(self, kind: Kind) -> tuple[TestRow, ...]:
        """Rows of the set of that kind; none if there is no set."""
        return load_test_set(self.home.store, self.sets[kind]) if kind in self.sets else ()

    @cached_property
    def clips(self) -> tuple[TestClip, ...]:
        """Clips by today's names."""
        return clips_of(self.rows("clips"), self.taxonomy)

    @cached_property
    def reader(self) -> ClipReader:
        """Features of the clips."""
        return ClipReader(self.home, clip_manifest(self.rows("clips"), self.taxonomy))

    @cached_property
    def recordings(self) -> tuple[TestChannel, ...]:
        """Labelled channels that can be heard."""
        return self._heard_channels("recordings")

    @cached_property
    def noise(self) -> tuple[TestChannel, ...]:
        """Noise that can be heard."""
        return self._heard_channels("noise")

    @cached_property
    def places(self) -> dict[str, str]:
        """Where each item of a kind that is heard lies: key in the store, or path."""
        with self.home.catalog.reading() as session:
            found = session.execute(select(Recording.sha256, Recording.path)).all()
        paths = {sha256: path for sha256, path in found if Path(path).is_file()}  # where they lie now
        return {
            row.item: paths.get(row.sha256, row.place) if row.channel else row.place
            for row in (*self.rows("recordings"), *self.rows("noise"))
        }

    def _heard_channels(self, kind: Kind) -> tuple[TestChannel, ...]:
        found: dict[str, list[TestRow]] = {}
        for row in self.rows(kind):
            found.setdefault(row.item, []).append(row)
        channels = []
        for item, rows in sorted(found.items()):
            if rows[0].channel and not Path(self.places[item]).is_file():
                _LOG.warning("%s is labelled and no longer there: it is not heard", self.places[item])
                continue
            channels.append(channel_of(kind, item, rows, self.taxonomy))
        return tuple(channels)


def channel_of(kind: Kind, item: str, rows: Sequence[TestRow], taxonomy: Taxonomy) -> TestChannel:
    """An item as it is heard: what people labelled in a recording, or the stretches that are known to be noise."""
    seconds = rows[0].seconds
    spans = [(row.start_s or 0.0, seconds if row.end_s is None else min(row.end_s, seconds)) for row in rows]
    if kind == "noise":
        return TestChannel(item, rows[0].group, seconds, ignored=_outside(spans, seconds))
    reference = []
    for row, (start_s, end_s) in zip(rows, spans, strict=True):
        names = [other.class_path for other in rows if other.verdict == "present"]
        path = taxonomy.settle(row.class_path, names)
        if row.verdict == "present" and path is not None:
            reference.append(TimedLabel(start_s, end_s, path))
    return TestChannel(item, rows[0].group, seconds, tuple(sorted(reference)))


def _outside(spans: Sequence[Stretch], seconds: float) -> tuple[Stretch, ...]:
    """What of [0, seconds) is in none of the spans."""
    gaps, reached = [], 0.0
    for start, end in sorted(spans):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, end)
    if reached < seconds:
        gaps.append((reached, seconds))
    return tuple(gaps)
