"""The gate, as blocking checks: one a part, judged together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from assets.classifiers.assets import classifier as classifier_asset
from assets.classifiers.check_tables import finding_metadata
from tidzam_platform.home import Home

PREFIX: Final = "gate_"
_DESCRIPTIONS: Final = {
    "clips": "Macro-F1 on the frozen test clips: not below the bound, chance, what serves, or the best ever promoted.",
    "classes": "No class fell much below what it was in the generation in service.",
    "recordings": "Not worse on labelled recordings of the site.",
    "false_alarms": "False alarms on audio that holds noise only do not rise.",
    "shadow": "Recent windows, heard beside the generation in service: nothing absurd.",
    "calibration": "Confidences mean what they say, about as well as before.",
    "latency": "Quick enough for the channels in use.",
}


def check_name(part: str) -> str:
    """Name of the check of a part of the gate."""
    return f"{PREFIX}{part}"


@dg.multi_asset_check(
    name="gate",
    specs=[
        dg.AssetCheckSpec(check_name(part), asset=classifier_asset, blocking=True, description=description)
        for part, description in _DESCRIPTIONS.items()
    ],
)
def gate(classifier: int) -> Iterator[dg.AssetCheckResult]:
    """Holds back a candidate that is too weak, or worse than what was served, unless a person overrode the gate."""
    from serving.gate_evidence import judge_generation

    kept = judge_generation(Home.open(), classifier)
    overruled: Mapping[str, Any] = kept.override or {}
    for finding in kept.verdict.findings:
        words = finding.words
        if not finding.passed and overruled:
            words = f"overridden by {overruled['by']} ({overruled['reason']}): {words}"
        yield dg.AssetCheckResult(
            passed=finding.passed or bool(overruled),
            asset_key=classifier_asset.key,
            check_name=check_name(finding.name),
            severity=dg.AssetCheckSeverity.ERROR,
            description=words,
            metadata={
                "incumbent": kept.incumbent or "none",
                "best_promoted": kept.best or "none",
                **finding_metadata(finding),
            },
        )
