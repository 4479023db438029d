"""The gate: what a generation must show before it may be served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidzam_platform.settings import GateSettings


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate may be served; ``reasons`` says in words why not, empty when it may."""

    passed: bool
    reasons: tuple[str, ...]
    figures: dict[str, float]


def judge(evaluation: dict[str, Any], beside: tuple[float, float] | None, settings: GateSettings) -> Verdict:
    """Judge a candidate.

    Args:
        evaluation: the candidate's figures on the test side of its dataset version.
        beside: macro-F1 of candidate and incumbent on the same test clips; None if nothing is served yet.
        settings: the bounds.
    """
    macro_f1 = float(evaluation["macro_f1"])
    figures = {"macro_f1": macro_f1, "min_macro_f1": settings.min_macro_f1}
    reasons = []
    if macro_f1 < settings.min_macro_f1:
        reasons.append(f"macro-F1 {macro_f1:.3f} on the test side is below {settings.min_macro_f1:.3f}")
    if beside is not None:
        candidate, incumbent = beside
        figures |= {
            "macro_f1_on_common_classes": candidate,
            "incumbent_macro_f1_on_common_classes": incumbent,
        }
        if candidate < incumbent - settings.margin:
            reasons.append(
                f"macro-F1 {candidate:.3f} on the classes that both know is more than {settings.margin:.3f} below "
                f"the {incumbent:.3f} of the generation in service"
            )
    return Verdict(not reasons, tuple(reasons), figures)
