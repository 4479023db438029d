"""Generations compared on the newest frozen test sets: what the command, the asset and the chart show."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from serving.gate_evidence import score_generations
from tidzam_platform.catalog.generations import EXPORTED
from tidzam_platform.catalog.tables import Generation
from tidzam_platform.classifiers.gate.scores import scores_of_set
from tidzam_platform.datasets.taxonomy_changes import read_taxonomy
from tidzam_platform.datasets.test_sets import newest_test_sets
from tidzam_platform.home import Home


def score_exported(home: Home) -> dict[int, str]:
    """Score all exported generations where that was not done; why some could not be, by number."""
    with home.catalog.reading() as session:
        query = select(Generation.number).where(Generation.state == EXPORTED).order_by(Generation.number)
        numbers = list(session.scalars(query))
    return score_generations(home, numbers)


def score_rows(home: Home) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The newest sets, and figures of each generation that was scored on the clips, ascending."""
    sets, taxonomy = newest_test_sets(home.catalog), read_taxonomy(home.catalog)
    found = {kind: scores_of_set(home, test_set, taxonomy) for kind, test_set in sets.items()}
    rows = [
        {
            "generation": number,
            **{name: figures[name] for name in ("macro_f1", "low", "high", "clips", "ece")},
            "segment_macro_f1": found.get("recordings", {}).get(number, {}).get("segment_macro_f1"),
            "false_alarms_per_hour": found.get("noise", {}).get(number, {}).get("false_alarms_per_hour"),
        }
        for number, figures in found.get("clips", {}).items()
    ]
    told: dict[str, Any] = {
        str(kind): {"version": one.version, "items": one.items} for kind, one in sets.items()
    }
    return {**told, "taxonomy": taxonomy.version}, rows
