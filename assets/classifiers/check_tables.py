"""What the page of a check of the gate shows: numbers, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from assets.metadata import picture, table

if TYPE_CHECKING:
    from tidzam_platform.classifiers.gate.finding import Finding

_SHOWN_CLIPS: Final = 50


def finding_metadata(finding: Finding) -> dict[str, Any]:
    """Metadata of what a part found."""
    plain = {
        name: value
        for name, value in finding.figures.items()
        if isinstance(value, str | int | float | bool) and value != ""
    }
    compared = finding.figures.get("compared") or {}
    if compared:
        plain["compared"] = _compared(compared)
    special = _SPECIAL.get(finding.name)
    return plain | (special(finding.figures) if special else {})


def _compared(compared: Mapping[str, Mapping[str, Any]]) -> dg.MetadataValue:
    columns = list(dict.fromkeys(name for one in compared.values() for name in one))
    rows = [
        [generation, *(_shown(one.get(name)) for name in columns)] for generation, one in compared.items()
    ]
    return table(["generation", *columns], rows)


def _of_clips(figures: Mapping[str, Any]) -> dict[str, Any]:
    worse = figures.get("worse_clips", [])
    if not worse:
        return {}
    rows = [
        [
            one["store_key"],
            ", ".join(one["truth"]),
            ", ".join(one["was"]),
            ", ".join(one["is"]),
            one["confidence"],
        ]
        for one in worse[:_SHOWN_CLIPS]
    ]
    return {"worse_clips": table(["clip", "truth", "was heard as", "is heard as", "confidence"], rows)}


def _of_classes(figures: Mapping[str, Any]) -> dict[str, Any]:
    from tidzam_platform.classifiers.gate.class_falls import CLASS_COLUMNS, class_rows
    from tidzam_platform.classifiers.gate.pictures import falls_picture

    classes = figures.get("classes", [])
    if not classes:
        return {}
    return {
        "classes": table(CLASS_COLUMNS, class_rows(classes)),
        "picture": picture(falls_picture(classes), "F1 of each class, before and now"),
    }


def _of_alarms(figures: Mapping[str, Any]) -> dict[str, Any]:
    by_class = figures.get("by_class") or {}
    return {"alarms": table(["class", "false alarms"], list(by_class.items()))} if by_class else {}


def _of_shadow(figures: Mapping[str, Any]) -> dict[str, Any]:
    if not figures:
        return {}
    stable, candidate = figures["stable"], figures["candidate"]
    rows = [
        [path, stable.get(path, "-"), candidate.get(path, "-")]
        for path in sorted({*stable, *candidate})
        if stable.get(path) or candidate.get(path)
    ]
    return {"decided": table(["class", "in service", "candidate"], rows)}


_SPECIAL: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "clips": _of_clips,
    "classes": _of_classes,
    "false_alarms": _of_alarms,
    "shadow": _of_shadow,
}


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
