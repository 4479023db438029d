"""A generation on the frozen test sets: what is kept is read, the rest is heard now and kept."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Literal

from serving.analysis import hear_file
from serving.frozen_sets import FrozenSets
from serving.tree_model import TreeModel, describe_tree
from tidzam_platform.catalog.tables import Generation
from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN
from tidzam_platform.classifiers.evaluation.events import TimedLabel
from tidzam_platform.classifiers.gate import Evidence, System
from tidzam_platform.classifiers.gate.scores import (
    answer_clips,
    answers_from_json,
    answers_to_json,
    clip_figures,
    decision_mark,
    events_from_json,
    events_to_json,
    keep_score,
    kept_score,
)
from tidzam_platform.classifiers.gate.sound_figures import noise_figures, recording_figures
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.errors import AudioError

_LOG = logging.getLogger("tidzam.gate")


class Scored:
    """One generation on the frozen sets: what is kept is read, the rest is heard now and kept.

    Args:
        sets: the frozen sets.
        row: the generation.

    Raises:
        TrainingError, ObjectNotFoundError: of every method, if its weights cannot be read and are needed.
    """

    def __init__(self, sets: FrozenSets, row: Generation) -> None:
        self._sets, self._row, self._home = sets, row, sets.home
        self._heard: dict[str, dict[int, tuple[TimedLabel, ...]]] = {}

    @cached_property
    def tree(self) -> TrainedTree:
        """Its weights."""
        return TrainedTree.load(self._home.store, self._row.manifest["experts"]["selector"]["weights"])

    @cached_property
    def model(self) -> TreeModel:
        """What hears."""
        return TreeModel(self.tree, describe_tree(self.tree, self._row.number, self._row.dataset_version))

    def system(self, *, measured: bool = False) -> System:
        """All that it says of the sets; ``measured``: also how quick it is."""
        clips = self.on_clips()
        return System(
            clips.generation,
            clips.leaves,
            clips.labels,
            clips.clips,
            self._on_channels("recordings"),
            self._on_channels("noise"),
            self.model.windows_per_s() if measured else None,
        )

    def on_clips(self) -> System:
        """What it says of the frozen clips."""
        number, sets = self._row.number, self._sets
        if "clips" not in sets.sets:
            return System(number, self.tree.spec.leaves, self.tree.spec.labels)
        test_set = sets.sets["clips"]
        kept = kept_score(self._home, number, test_set, sets.taxonomy, {})
        if kept is not None:
            answers = kept["answers"]
            return System(
                number, tuple(answers["leaves"]), answers["labels"], answers_from_json(answers["clips"])
            )
        said = answer_clips(self.tree, sets.reader.features(self.tree.front_end))
        system = System(number, self.tree.spec.leaves, self.tree.spec.labels, said)
        if sets.clips:
            content = {
                "leaves": list(system.leaves),
                "labels": system.labels,
                "clips": answers_to_json(said),
            }
            figures = clip_figures(system, sets.clips, sets.taxonomy)
            keep_score(self._home, number, test_set, sets.taxonomy, figures, content)
        return system

    def _on_channels(self, kind: Literal["recordings", "noise"]) -> dict[str, tuple[TimedLabel, ...]]:
        sets, number = self._sets, self._row.number
        channels = sets.recordings if kind == "recordings" else sets.noise
        if not channels:
            return {}
        test_set, marks = sets.sets[kind], {"decision": decision_mark(self._home)}
        kept = kept_score(self._home, number, test_set, sets.taxonomy, marks)
        if kept is not None and {one.item for one in channels} <= kept["answers"]["heard"].keys():
            return events_from_json(kept["answers"]["heard"])
        heard = {one.item: self._hear(one.item) for one in channels}
        leaves, labels = self.tree.spec.leaves, self.tree.spec.labels
        if kind == "recordings":
            system = System(number, leaves, labels, recordings=heard)
            figures = recording_figures(Evidence(system, recordings=channels, taxonomy=sets.taxonomy))
        else:
            system = System(number, leaves, labels, noise=heard)
            figures = noise_figures(Evidence(system, noise=channels, taxonomy=sets.taxonomy))
        keep_score(
            self._home,
            number,
            test_set,
            sets.taxonomy,
            {**figures, **marks},
            {"heard": events_to_json(heard)},
        )
        return heard

    def _hear(self, item: str) -> tuple[TimedLabel, ...]:
        """What it hears in an item: in a recording on one channel, in a clip on any."""
        place = self._sets.places[item]
        is_clip = item.startswith("clip:")
        if place not in self._heard:
            with ExitStack() as stack:
                path = stack.enter_context(self._home.store.as_file(place)) if is_clip else Path(place)
                self._heard[place] = self._events(path)
        events = self._heard[place]
        if is_clip:
            return tuple(sorted(event for found in events.values() for event in found))
        return events.get(int(item.rpartition(":")[2]), ())

    def _events(self, path: Path) -> dict[int, tuple[TimedLabel, ...]]:
        try:
            hearing = hear_file(path, self.model, self._home.settings.decision)
        except AudioError as error:
            _LOG.warning("%s is labelled and cannot be heard: %s", path, error)
            return {}
        found: dict[int, list[TimedLabel]] = {}
        for event in hearing.events:
            if event.class_path not in (UNKNOWN, NO_SIGNAL):
                span = hearing.seconds(event.start_frame), hearing.seconds(event.end_frame)
                found.setdefault(event.channel, []).append(TimedLabel(*span, event.class_path))
        return {channel: tuple(events) for channel, events in found.items()}
