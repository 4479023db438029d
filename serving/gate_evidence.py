"""Gathering what the gate judges by: answers of candidate, incumbent and the best ever promoted on the frozen sets."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import func, select

from serving.frozen_sets import FrozenSets
from serving.generation_scoring import Scored
from serving.publishing import generation_in_service
from serving.recent_windows import recorded_shadow, run_shadow
from serving.repository import ModelRepository
from serving.signature import STABLE
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.catalog.tables import Generation, GenerationScore, Recording
from tidzam_platform.classifiers.gate import Evidence, ShadowEvidence, System, judge
from tidzam_platform.classifiers.gate.clips import macro_f1_of
from tidzam_platform.classifiers.gate.verdicts import KeptVerdict, keep_verdict
from tidzam_platform.errors import CatalogError, ObjectNotFoundError, TrainingError
from tidzam_platform.home import Home

_LOG = logging.getLogger("tidzam.gate")


def gather_evidence(home: Home, number: int) -> Evidence:
    """What is known of a candidate; sets are frozen first, and what was not scored yet is scored.

    Raises:
        CatalogError: no such generation.
        TrainingError: its weights cannot be read.
    """
    row = get_generation(home.catalog, number)
    sets = FrozenSets.of(home)
    _LOG.info("judging generation %d on %d frozen clips", number, len(sets.clips))
    scored = Scored(sets, row)
    candidate = scored.system(measured=True)
    serving = generation_in_service(home)
    incumbent, unscored, rival = None, [], None
    if serving is not None and serving.number != number:
        rival = Scored(sets, serving)
        try:
            incumbent = rival.system()
        except (TrainingError, ObjectNotFoundError) as error:
            unscored.append(
                f"the generation in service, {serving.number}, cannot be scored again to compare it: {error}"
            )
    best = _best_promoted(sets, home, {number, serving.number if serving else number}, incumbent)
    shadow = (
        None if incumbent is None or rival is None else _shadow(home, incumbent.generation, rival, scored)
    )
    return Evidence(
        candidate=candidate,
        incumbent=incumbent,
        best=best,
        clips=sets.clips,
        recordings=sets.recordings,
        noise=sets.noise,
        taxonomy=sets.taxonomy,
        test_sets={kind: one.version for kind, one in sets.sets.items()},
        unscored=tuple(unscored),
        shadow=shadow,
        channels=channels_in_use(home),
        hop_s=scored.model.describe().hop_s,
    )


def judge_generation(home: Home, number: int) -> KeptVerdict:
    """Gather, judge, keep; errors as ``gather_evidence``."""
    evidence = gather_evidence(home, number)
    return keep_verdict(home, judge(evidence, home.settings.gate), evidence)


def score_generations(home: Home, numbers: Sequence[int]) -> dict[int, str]:
    """Score generations on the newest frozen sets, where that was not done; why some could not be, by number."""
    sets = FrozenSets.of(home)
    unscored = {}
    for number in numbers:
        try:
            Scored(sets, get_generation(home.catalog, number)).system()
        except (TrainingError, ObjectNotFoundError, CatalogError) as error:
            unscored[number] = str(error)
    return unscored


def channels_in_use(home: Home) -> int:
    """Channels of all sources, as the newest usable recording of each has them."""
    with home.catalog.reading() as session:
        newest = (
            select(Recording.source_id, func.max(Recording.start).label("start"))
            .where(Recording.channels.is_not(None))
            .group_by(Recording.source_id)
            .subquery()
        )
        found = session.execute(
            select(Recording.source_id, func.max(Recording.channels))
            .join(newest, (newest.c.source_id == Recording.source_id) & (newest.c.start == Recording.start))
            .group_by(Recording.source_id)
        )
        return sum(channels or 0 for _, channels in found)


def _shadow(home: Home, incumbent: int, rival: Scored, scored: Scored) -> ShadowEvidence | None:
    """Live windows where the candidate was canary, else recent ones heard now; None where that cannot be."""
    number = scored.model.describe().generation
    live = recorded_shadow(home, incumbent, number)
    if live is not None:
        return live
    try:
        return run_shadow(home, rival.model, scored.model)
    except (TrainingError, ObjectNotFoundError) as error:  # its scores are kept, its weights are gone
        _LOG.warning("generation %d cannot hear beside %d: %s", incumbent, number, error)
        return None


def _best_promoted(
    sets: FrozenSets, home: Home, without: set[int], incumbent: System | None
) -> System | None:
    """The best of those that were stable once, on the newest clips; None if that is the incumbent, or there is none."""
    promoted = {
        change.version
        for change in ModelRepository(home.settings.models_folder).history()
        if change.label == STABLE
    } - without
    with home.catalog.reading() as session:
        rows = session.scalars(select(Generation).where(Generation.number.in_(promoted))).all()
        known: dict[int, float] = {row.number: float(row.evaluation["macro_f1"]) for row in rows}
        kept = session.scalars(
            select(GenerationScore)
            .where(GenerationScore.generation.in_(promoted))
            .order_by(GenerationScore.made_at)
        ).all()
    known |= {row.generation: float(row.figures["macro_f1"]) for row in kept if "macro_f1" in row.figures}
    by_worth = sorted(rows, key=lambda row: (-known[row.number], -row.number))
    best: System | None = None
    reached = _macro_f1(sets, incumbent)
    for row in by_worth[: home.settings.gate.compared_promoted]:
        scored = Scored(sets, row)
        try:
            if (figure := _macro_f1(sets, scored.on_clips())) > reached:
                best, reached = scored.system(), figure
        except (TrainingError, ObjectNotFoundError) as error:
            _LOG.warning("generation %d, promoted once, cannot be scored again: %s", row.number, error)
    return best


def _macro_f1(sets: FrozenSets, system: System | None) -> float:
    if system is None or not sets.clips:
        return -1.0
    return macro_f1_of(Evidence(system, clips=sets.clips, taxonomy=sets.taxonomy), system)
