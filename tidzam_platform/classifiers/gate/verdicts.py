"""The gate's verdicts, kept: in the manifest of the generation in short, in the store whole; and overriding them.

A person who knows better overrides a verdict with a reason. That is the only way by which a refused generation is
published. It holds for the parts that refused then: where the gate judges again and another part refuses, it is void.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidzam_platform.catalog.generations import CANDIDATE, EXPORTED, REFUSED, get_generation
from tidzam_platform.catalog.tables import AuditEntry, Generation
from tidzam_platform.classifiers.gate.evidence import Evidence
from tidzam_platform.classifiers.gate.finding import Finding, Verdict
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import GateRefusedError, ObjectNotFoundError
from tidzam_platform.home import Home
from tidzam_platform.labels.statement import valid_annotator

OVERRIDE_ACTION: Final = "gate.override"
_MAX_REASON: Final = 1000


@dataclass(frozen=True)
class KeptVerdict:
    """A verdict as it is kept.

    Attributes:
        generation: that was judged.
        verdict: all findings.
        incumbent, best: the generations that it was compared with.
        override: ``by``, ``reason``, ``at`` and ``parts``; None if nobody overrode it.
    """

    generation: int
    verdict: Verdict
    incumbent: int | None
    best: int | None
    override: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {
            "generation": self.generation,
            "passed": self.verdict.passed,
            "reasons": list(self.verdict.reasons),
            "incumbent": self.incumbent,
            "best": self.best,
            "override": self.override,
            "findings": [one.to_json() for one in self.verdict.findings],
        }


def is_publishable(gate: Mapping[str, Any]) -> bool:
    """Whether what a manifest says of the gate lets a generation be published: it passed, or was overridden."""
    return bool(gate.get("passed") or gate.get("override"))


def keep_verdict(home: Home, verdict: Verdict, evidence: Evidence) -> KeptVerdict:
    """Keep a verdict; an exported generation stays what it is, an override stays if it covers all that refuses now."""
    number = evidence.candidate.generation
    key = f"gate/generation-{number}/verdict.json"
    incumbent, best = (None if one is None else one.generation for one in (evidence.incumbent, evidence.best))
    content = {
        "incumbent": incumbent,
        "best": best,
        "test_sets": dict(evidence.test_sets),
        "taxonomy": evidence.taxonomy.version,
        "findings": [one.to_json() for one in verdict.findings],
    }
    home.store.put_bytes(key, json.dumps(content, sort_keys=True).encode())
    with home.catalog.session() as session:
        row = session.get_one(Generation, number)
        before = row.manifest.get("gate", {}).get("override")
        covered = before is not None and set(verdict.failed) <= set(before["parts"])
        override = before if covered and not verdict.passed else None
        row.manifest = {
            **row.manifest,
            "gate": {
                "passed": verdict.passed,
                "reasons": list(verdict.reasons),
                "incumbent": incumbent,
                "parts": {one.name: one.passed for one in verdict.findings},
                "verdict": key,
                **({"override": override} if override else {}),
            },
        }
        if row.state != EXPORTED:
            row.state = CANDIDATE if verdict.passed or override else REFUSED
    return KeptVerdict(number, verdict, incumbent, best, override)


def read_verdict(home: Home, number: int) -> KeptVerdict | None:
    """The verdict on a generation, None if it was not judged, or by a gate that kept no findings.

    Raises:
        CatalogError: no such generation.
    """
    gate = get_generation(home.catalog, number).manifest.get("gate", {})
    try:
        content = json.loads(home.store.get_bytes(gate["verdict"]))
    except (KeyError, ObjectNotFoundError):
        return None
    findings = tuple(Finding.from_json(one) for one in content["findings"])
    return KeptVerdict(number, Verdict(findings), content["incumbent"], content["best"], gate.get("override"))


def override_verdict(home: Home, number: int, *, by: str, reason: str) -> KeptVerdict:
    """Let a refused generation be published all the same; who and why is kept in the audit and in its manifest.

    Raises:
        CatalogError: no such generation.
        GateRefusedError: the gate did not refuse it, or nobody said why.
        InvalidNameError: ``by`` names nobody.
    """
    valid_annotator(by)
    if not reason.strip() or len(reason) > _MAX_REASON:
        raise GateRefusedError(f"say why, in 1 to {_MAX_REASON} characters: the audit keeps it")
    kept = read_verdict(home, number)
    if kept is None:
        raise GateRefusedError(
            f"generation {number} was not judged yet: ./tidzam generation gate {number} --again judges it"
        )
    if kept.verdict.passed:
        raise GateRefusedError(f"the gate passed generation {number}: there is nothing to override")
    if kept.override is not None:
        return kept
    now = utc_now()
    override = {"by": by, "reason": reason.strip(), "at": format_utc(now), "parts": list(kept.verdict.failed)}
    with home.catalog.session() as session:
        row = session.get_one(Generation, number)
        row.manifest = {**row.manifest, "gate": {**row.manifest["gate"], "override": override}}
        if row.state != EXPORTED:
            row.state = CANDIDATE
        details = {
            "generation": number,
            "incumbent": kept.incumbent,
            "parts": override["parts"],
            "reasons": list(kept.verdict.reasons),
        }
        session.add(AuditEntry(at=now, by=by, action=OVERRIDE_ACTION, reason=reason.strip(), details=details))
    return KeptVerdict(number, kept.verdict, kept.incumbent, kept.best, override)
