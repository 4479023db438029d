"""Recent windows, heard by the generation in service and by the candidate: how often they disagree, and absurdities."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tidzam_platform.classifiers.decision import NO_SIGNAL
from tidzam_platform.classifiers.gate.counting import naming
from tidzam_platform.classifiers.gate.evidence import Evidence, ShadowEvidence
from tidzam_platform.classifiers.gate.finding import Finding
from tidzam_platform.settings import GateSettings

LEAST_WINDOWS: Final = 100  # fewer say nothing
_MOST_UNUSABLE: Final = 0.01
_STUCK: Final = 0.95  # share of one answer that only a stuck candidate gives ...
_UNLIKE: Final = 0.5  # ... where the generation in service gives it to less than this share


def judge_shadow(evidence: Evidence, settings: GateSettings) -> Finding:
    """Part (d): a shadow run on recent windows. Disagreement is told; it refuses only where the settings say so."""
    shadow = evidence.shadow
    if shadow is None:
        words = (
            "the first generation: there is none to hear beside it"
            if evidence.incumbent is None
            else "no recent window was heard by both: index recordings, or let it be a canary; nothing to judge"
        )
        return Finding("shadow", True, words)
    loud = shadow.windows - shadow.quiet
    disagreement = (shadow.windows - shadow.agreed) / loud if loud else 0.0
    figures = {
        "origin": shadow.origin,
        "windows": shadow.windows,
        "quiet": shadow.quiet,
        "unusable": shadow.unusable,
        "disagreement": disagreement,
        "stable": dict(shadow.stable),
        "candidate": dict(shadow.candidate),
    }
    told = f"of {loud} windows ({shadow.origin}) {disagreement:.1%} are decided otherwise"
    total = shadow.windows + shadow.unusable
    faults = []
    if shadow.unusable > _MOST_UNUSABLE * total:
        faults.append(f"{shadow.unusable} of {total} recent windows got no finite scores")
    if loud >= LEAST_WINDOWS:
        faults += _absurdities(evidence, shadow, loud)
        if disagreement > settings.max_disagreement:
            faults.append(f"{told}, more than gate.max_disagreement allows ({settings.max_disagreement:.1%})")
    elif not faults:
        told += f"; under {LEAST_WINDOWS}, which says little"
    return Finding("shadow", not faults, "; ".join(faults or [told]), figures)


def _absurdities(evidence: Evidence, shadow: ShadowEvidence, loud: int) -> list[str]:
    """One answer to nearly everything that the generation in service does not give, under any of its names."""
    name, _, _ = naming(evidence, evidence.incumbent)
    stable = Counter[str]()
    for path, count in shadow.stable.items():
        stable[name(path)] += count
    faults = []
    for path, count in shadow.candidate.items():
        silent = shadow.quiet if path == NO_SIGNAL else 0
        ours, theirs = (count - silent) / loud, (stable[name(path)] - silent) / loud
        if ours > _STUCK and theirs < _UNLIKE:
            faults.append(
                f"it takes {ours:.0%} of {loud} recent windows for {path}, the generation in service {theirs:.0%}"
            )
    return faults
