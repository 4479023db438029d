"""The gate, as a blocking check."""

import dagster as dg

from assets.classifiers.assets import classifier as classifier_asset
from serving.publishing import generation_in_service
from tidzam_platform.catalog.generations import get_generation, set_verdict
from tidzam_platform.classifiers.candidate import evaluate_beside
from tidzam_platform.classifiers.gate import judge
from tidzam_platform.home import Home


@dg.asset_check(asset=classifier_asset, blocking=True)
def gate(classifier: int) -> dg.AssetCheckResult:
    """Holds back a candidate that is too weak, or worse than the generation in service on the same test clips."""
    home = Home.open()
    candidate = get_generation(home.catalog, classifier)
    incumbent = generation_in_service(home)
    if incumbent is not None and incumbent.number == candidate.number:
        incumbent = None
    beside = None
    if incumbent is not None:
        ours, theirs = evaluate_beside(
            home,
            candidate.dataset_version,
            candidate.manifest["experts"]["selector"]["weights"],
            incumbent.manifest["experts"]["selector"]["weights"],
        )
        beside = (ours.macro_f1, theirs.macro_f1)
    verdict = judge(candidate.evaluation, beside, home.settings.gate)
    number = incumbent.number if incumbent is not None else None
    set_verdict(home.catalog, candidate.number, verdict.passed, verdict.reasons, number)
    return dg.AssetCheckResult(
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(verdict.reasons) or "not worse than what is served",
        metadata={
            **verdict.figures,
            "reasons": dg.MetadataValue.json(list(verdict.reasons)),
            "incumbent": number or "none",
        },
    )
