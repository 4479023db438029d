"""A lineage in words and tables: what was heard, by which generation, from whose labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidzam_platform.cli.output import print_line, print_table, remarks
from tidzam_platform.clock import format_utc
from tidzam_platform.lineage import Behind, GenerationFacts, Lineage
from tidzam_platform.lineage.class_rows import VERDICTS
from tidzam_platform.lineage.generation_facts import MAX_CHANGES

_SAYS: Final = {"present": "is in the clip", "absent": "is not in the clip"}


def print_lineage(lineage: Lineage) -> None:
    """All of it on standard output; what is not known on standard error."""
    print_line(_heard(lineage))
    _print_generation(lineage)
    if lineage.steps:
        print_table(
            "decided by, from the root of the tree",
            ("expert", "said", "train clips", "dataset version", "code", "made by"),
            (
                (
                    step.expert,
                    step.decided,
                    "?" if step.counts is None else step.counts["train"]["present"],
                    step.dataset_version,
                    f"{step.code_version} ({'as today' if step.is_code_of_today else 'changed since'})",
                    step.fingerprint[:12],
                )
                for step in lineage.steps
            ),
        )
    if lineage.behind is not None:
        _print_behind(lineage.behind)
    for remark in lineage.remarks:
        remarks.print(remark, style="yellow")


def _heard(lineage: Lineage) -> str:
    subject = lineage.subject
    if (one := subject.detection) is not None:
        seconds = (one.end - one.start).total_seconds()
        return (
            f"{one.id}: {one.class_path} was heard on {one.channel} at {format_utc(one.start)} for {seconds:.1f} s, "
            f"score {one.score:.2f}, by generation {one.generation}"
        )
    told = ", ".join(f"{name} {value}" for name, value in subject.event.items())
    return f"{subject.class_path}, as generation {subject.generation} answers" + (
        f" ({told})" if told else ""
    )


def _print_generation(lineage: Lineage) -> None:
    facts, service = lineage.generation, lineage.service
    if facts is not None:
        exported = "" if facts.exported_at is None else f", exported {format_utc(facts.exported_at)}"
        figure = "" if facts.macro_f1 is None else f", macro-F1 {facts.macro_f1:.3f}"
        print_line(
            f"generation {facts.number}: {facts.state}, made {format_utc(facts.made_at)}{exported}{figure}, "
            f"of dataset version {facts.dataset_version}"
        )
        print_line(f"the gate: {_gate(facts)}")
        for one in facts.overrides:
            print_line(f"overridden by {one['by']} at {one['at']}: {one['reason']}")
    print_line(
        f"it is {service.label} now" if service.label else "it has no label in the model repository now"
    )
    if service.changes:
        print_table(
            "service",
            ("time", "what", "before", "by", "why"),
            (
                (
                    format_utc(one.time),
                    f"{one.action} {one.label or ''}".strip().replace("_", " "),
                    one.previous_version or "",
                    one.by,
                    one.reason,
                )
                for one in service.changes[:MAX_CHANGES]
            ),
        )


def _gate(facts: GenerationFacts) -> str:
    if facts.gate is None:
        return "did not judge it"
    beside = facts.gate["incumbent"]
    compared = f" beside generation {beside}" if beside else ""
    if facts.gate["passed"]:
        return f"passed it{compared}"
    return f"refused it{compared}: {'; '.join(facts.gate['reasons'])}"


def _print_behind(behind: Behind) -> None:
    print_table(
        f"clips behind {behind.class_path}, dataset version {behind.dataset_version} of {behind.made_at}",
        ("side", "it is in the clip", "it is not"),
        (
            (
                side if side != "test" else "test (never learnt from)",
                counts["present"],
                counts["absent"],
            )
            for side, counts in behind.counts.items()
        ),
    )
    for verdict in VERDICTS:
        _print_labels(verdict, behind.annotators[verdict], behind.examples[verdict])
    if behind.corrections:
        print_table(
            f"said since of these clips: {behind.corrected} (the newest first; the generation learnt nothing of it)",
            ("clip", "now", "by", "at", "before"),
            (
                (
                    one["clip"],
                    f"{one['class_path']} {one['verdict']}" + ("" if one["stands"] else " (corrected again)"),
                    f"{one['annotator']} ({one['tool']})",
                    one["made_at"],
                    f"{one['was']['class_path']} {one['was']['verdict']} by {one['was']['annotator']}"
                    if one["was"]
                    else "said beside the others",
                )
                for one in behind.corrections
            ),
        )
    for one in behind.erasings:
        print_line(f"audio was erased since, by {one['by']} at {one['at']}: {one['reason']}")


def _print_labels(
    verdict: str, annotators: Sequence[Mapping[str, Any]], examples: Sequence[Mapping[str, Any]]
) -> None:
    if annotators:
        print_table(
            f"who said that it {_SAYS[verdict]}",
            ("annotator", "with", "labels", "first", "last"),
            (
                tuple(one[name] for name in ("annotator", "tool", "labels", "first", "last"))
                for one in annotators
            ),
        )
    if examples:
        print_table(
            f"the newest labels that it {_SAYS[verdict]} (listen: /api/v1/clips/CLIP/audio; --json: keys in the store)",
            ("clip", "s", "side", "label", "by", "at"),
            (
                (
                    one["clip"],
                    f"{one['seconds']:.1f}",
                    one["side"],
                    one["class_path"],
                    f"{one['annotator']} ({one['tool']})",
                    one["made_at"],
                )
                for one in examples
            ),
        )
