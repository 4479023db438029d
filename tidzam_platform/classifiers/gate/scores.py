"""What generations say of frozen sets, kept: figures in the catalog, answers item by item in the store.

A score belongs to a generation, a set and a version of the taxonomy. It is computed once; the same call again reads it.
Answers are kept by the generation's own names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from sqlalchemy import select

from tidzam_platform import crash_points
from tidzam_platform.catalog.tables import GenerationScore, TestSet
from tidzam_platform.classifiers.decision import ClassNode, MultiLabelDecider
from tidzam_platform.classifiers.evaluation.bootstrap import macro_f1_interval
from tidzam_platform.classifiers.evaluation.events import TimedLabel
from tidzam_platform.classifiers.features import ClipFeatures, load_clips
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.gate.calibration import calibration_error
from tidzam_platform.classifiers.gate.clips import macro_f1_of
from tidzam_platform.classifiers.gate.counting import naming
from tidzam_platform.classifiers.gate.evidence import ClipAnswer, Evidence, System, TestClip
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.clock import utc_now
from tidzam_platform.datasets.manifest import Manifest
from tidzam_platform.datasets.taxonomy import Taxonomy
from tidzam_platform.datasets.test_rows import TestRow, clip_manifest
from tidzam_platform.errors import ObjectNotFoundError
from tidzam_platform.home import Home

_FORMAT: Final = 1


@dataclass
class ClipReader:
    """Features of the clips of a set, computed once for each front end."""

    home: Home
    manifest: Manifest
    _features: dict[FrontEnd, list[ClipFeatures]] = field(default_factory=dict)

    def features(self, front_end: FrontEnd) -> list[ClipFeatures]:
        """The clips in order of their hashes."""
        if front_end not in self._features:
            self._features[front_end] = load_clips(self.home.store, self.manifest, front_end)
        return self._features[front_end]


def clips_of(rows: Sequence[TestRow], taxonomy: Taxonomy) -> tuple[TestClip, ...]:
    """The clips of a set of clips, in order of their hashes, by today's names."""
    classes: dict[str, list[str]] = {}
    first = {}
    for row in clip_manifest(rows, taxonomy).rows:
        classes.setdefault(row.clip_sha256, []).append(row.class_path)
        first[row.clip_sha256] = row
    return tuple(
        TestClip(sha256, first[sha256].store_key, first[sha256].group, tuple(names))
        for sha256, names in sorted(classes.items())
    )


def answer_clips(tree: TrainedTree, clips: Sequence[ClipFeatures]) -> dict[str, ClipAnswer]:
    """What a tree takes clips for, by hash: its best leaf, or where it has several labels all leaves that it hears."""
    if not clips:
        return {}
    scores = tree.clip_scores(clips)
    leaves = list(tree.spec.leaves)
    of_leaves = scores[:, [tree.spec.nodes.index(leaf) for leaf in leaves]]
    best = of_leaves.argmax(axis=1)
    heard: list[tuple[str, ...]] = [(leaves[at],) for at in best]
    if tree.spec.labels == "multi":
        nodes = [
            ClassNode(node, tree.spec.parent_of(node), tree.thresholds[node]) for node in tree.spec.nodes
        ]
        sounds = MultiLabelDecider(nodes, -1.0).sounds(
            scores.astype(np.float32), np.zeros(len(clips), np.float32)
        )
        heard = [
            tuple(answer.class_path for answer in answers if answer.class_path in leaves)
            for answers in sounds
        ]
    return {
        clip.sha256: ClipAnswer(answers, leaves[at], float(row[at]))
        for clip, answers, at, row in zip(clips, heard, best, of_leaves, strict=True)
    }


def clip_figures(system: System, clips: tuple[TestClip, ...], taxonomy: Taxonomy) -> dict[str, Any]:
    """Figures of a generation on the clips of a set, as the catalog keeps them and charts show them."""
    evidence = Evidence(system, clips=clips, taxonomy=taxonomy)
    macro_f1 = macro_f1_of(evidence, system)
    name, _, _ = naming(evidence, None)
    truths = [tuple(map(name, clip.class_paths)) for clip in clips]
    answers = [name(system.clips[clip.sha256].best) for clip in clips]
    interval = macro_f1_interval(truths, answers, [clip.group for clip in clips])
    # Of several labels the interval is that of the best leaf, moved to where the figure is.
    low, high = (macro_f1 + end - interval.estimate for end in (interval.low, interval.high))
    return {
        "macro_f1": macro_f1,
        "low": max(low, 0.0),
        "high": min(high, 1.0),
        "clips": len(clips),
        "ece": calibration_error(clips, system, name),
    }


def kept_score(
    home: Home, generation: int, test_set: TestSet, taxonomy: Taxonomy, marks: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The answers of a score that is kept; None if there is none that was made by these ``marks``, e.g. settings."""
    with home.catalog.reading() as session:
        row = session.get(GenerationScore, (generation, test_set.version, taxonomy.version))
    if row is None or any(row.figures.get(name) != value for name, value in marks.items()):
        return None
    try:
        content: dict[str, Any] = json.loads(home.store.get_bytes(row.store_key))
    except ObjectNotFoundError:
        return None
    return content if content.get("format") == _FORMAT else None


def keep_score(
    home: Home,
    generation: int,
    test_set: TestSet,
    taxonomy: Taxonomy,
    figures: Mapping[str, Any],
    answers: Mapping[str, Any],
) -> None:
    """Keep a score in place of the one that there was."""
    key = f"scores/{test_set.version}/taxonomy-{taxonomy.version}/generation-{generation}.json"
    content = {"format": _FORMAT, "generation": generation, "answers": answers}
    home.store.put_bytes(key, json.dumps(content, sort_keys=True).encode())
    crash_points.reach("score.stored")
    with home.catalog.session() as session:
        row = session.get(GenerationScore, (generation, test_set.version, taxonomy.version))
        if row is None:
            row = GenerationScore(
                generation=generation, test_set=test_set.version, taxonomy=taxonomy.version, made_at=utc_now()
            )
            session.add(row)
        row.figures, row.store_key = dict(figures), key


def scores_of_set(home: Home, test_set: TestSet, taxonomy: Taxonomy) -> dict[int, dict[str, Any]]:
    """Figures by generation on one set, by the names of one version of the taxonomy; ascending."""
    with home.catalog.reading() as session:
        rows = session.scalars(
            select(GenerationScore)
            .where(GenerationScore.test_set == test_set.version, GenerationScore.taxonomy == taxonomy.version)
            .order_by(GenerationScore.generation)
        ).all()
    return {row.generation: row.figures for row in rows}


def answers_to_json(answers: Mapping[str, ClipAnswer]) -> dict[str, Any]:
    """Answers to clips as JSON holds them."""
    return {key: [list(one.answers), one.best, one.confidence] for key, one in answers.items()}


def answers_from_json(content: Mapping[str, Any]) -> dict[str, ClipAnswer]:
    """Read what ``answers_to_json`` wrote."""
    return {key: ClipAnswer(tuple(answers), best, score) for key, (answers, best, score) in content.items()}


def events_to_json(heard: Mapping[str, Sequence[TimedLabel]]) -> dict[str, Any]:
    """Heard events as JSON holds them."""
    return {
        key: [[one.onset_s, one.offset_s, one.class_path] for one in events] for key, events in heard.items()
    }


def events_from_json(content: Mapping[str, Any]) -> dict[str, tuple[TimedLabel, ...]]:
    """Read what ``events_to_json`` wrote."""
    return {key: tuple(TimedLabel(*one) for one in events) for key, events in content.items()}


def decision_mark(home: Home) -> str:
    """Hash of the settings by which scores become events."""
    text = home.settings.decision.model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()[:16]
