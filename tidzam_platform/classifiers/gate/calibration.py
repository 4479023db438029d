"""Calibration holds: a confidence of 0.8 is right 8 times in 10, about as well as before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tidzam_platform.classifiers.evaluation.calibration_figures import expected_calibration_error
from tidzam_platform.classifiers.gate.counting import Name, naming, pair, truths_and_answers
from tidzam_platform.classifiers.gate.evidence import Evidence, System, TestClip
from tidzam_platform.classifiers.gate.finding import Finding
from tidzam_platform.settings import GateSettings


def judge_calibration(evidence: Evidence, settings: GateSettings) -> Finding:
    """ECE of the best leaf on the frozen clips: below a bound, or not much above that of the generation in service."""
    if not evidence.clips:
        return Finding("calibration", True, "there are no test clips: nothing to judge")
    name, _, _ = naming(evidence, None)
    own = calibration_error(evidence.clips, evidence.candidate, name)
    figures: dict[str, Any] = {"ece": own, "clips": len(evidence.clips), "max_ece": settings.max_ece}
    told = f"expected calibration error {own:.3f} on {len(evidence.clips)} clips"
    if len(evidence.clips) < settings.min_calibration_clips:
        words = f"{told}; under {settings.min_calibration_clips} clips say too little of it: shown only"
        return Finding("calibration", True, words, figures)
    faults = []
    if own > settings.max_ece:
        faults.append(f"{told} is above {settings.max_ece:.3f}")
    paired = pair(evidence, evidence.incumbent) if evidence.incumbent is not None else None
    if evidence.incumbent is not None and paired is not None:
        ours = calibration_error(paired.clips, evidence.candidate, paired.name)
        theirs = calibration_error(paired.clips, evidence.incumbent, paired.name)
        figures |= {"ece_on_common_classes": ours, "incumbent_ece_on_common_classes": theirs}
        if ours > theirs + settings.ece_margin:
            faults.append(
                f"expected calibration error {ours:.3f} is more than {settings.ece_margin:.3f} above the {theirs:.3f} "
                f"of the generation in service, {evidence.incumbent.generation}"
            )
    return Finding("calibration", not faults, "; ".join(faults or [told]), figures)


def calibration_error(clips: Sequence[TestClip], system: System, name: Name) -> float:
    """ECE of the best leaf of each clip, in [0, 1]."""
    answers = [system.clips[clip.sha256] for clip in clips]
    right = [
        said == truths
        for truths, said in (
            truths_and_answers(clip, answer, name, several=False)
            for clip, answer in zip(clips, answers, strict=True)
        )
    ]
    confidence = np.clip([answer.confidence for answer in answers], 0.0, 1.0)
    return expected_calibration_error(confidence, np.array(right, bool))
