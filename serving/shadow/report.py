"""What was recorded of stable and canary, as JSON objects for commands, pages and programs."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from serving.shadow.figures import Figures, SideFigures
from serving.shadow.records import BEFORE, Pair, figures_of, of_pair
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import ShadowDisagreement, ShadowHour
from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN
from tidzam_platform.clock import format_utc

_HOURS: Final = 48  # the newest that are told one by one
_QUANTILES: Final = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99}


def shadow_report(
    catalog: Catalog, stable: int | None = None, canary: int | None = None, *, disagreements: int = 50
) -> dict[str, Any]:
    """What is known of a pair of generations.

    Args:
        catalog: where a recorder wrote.
        stable, canary: which pair; where one is not said, the pair that was compared last.
        disagreements: the newest so many are told.

    Returns:
        ``pairs`` (all that were compared, the last one first) and ``comparison`` (None if there is none of that pair);
        rates, agreement and quantiles are None of no windows.

    Raises:
        CatalogError: the database does not answer.
    """
    with catalog.reading() as session:
        pairs = _pairs(session)
        chosen = next(
            (
                (one["stable"], one["canary"])
                for one in pairs
                if stable in (None, one["stable"]) and canary in (None, one["canary"])
            ),
            None,
        )
        comparison = None if chosen is None else _comparison(session, chosen, disagreements)
    return {"pairs": pairs, "comparison": comparison}


def _pairs(session: Session) -> list[dict[str, Any]]:
    last_at = func.max(ShadowHour.last_at)
    rows = session.execute(
        select(ShadowHour.stable, ShadowHour.canary, func.sum(ShadowHour.windows), last_at)
        .group_by(ShadowHour.stable, ShadowHour.canary)
        .order_by(last_at.desc(), ShadowHour.canary.desc(), ShadowHour.stable.desc())
    )
    return [
        {"stable": stable, "canary": canary, "windows": int(windows), "last_at": format_utc(last)}
        for stable, canary, windows, last in rows
    ]


def _comparison(session: Session, pair: Pair, disagreements: int) -> dict[str, Any]:
    rows = session.scalars(
        select(ShadowHour).where(of_pair(ShadowHour, pair)).order_by(ShadowHour.hour)
    ).all()
    found = session.scalars(
        select(ShadowDisagreement)
        .where(of_pair(ShadowDisagreement, pair))
        .order_by(ShadowDisagreement.id.desc())
        .limit(disagreements)
    ).all()
    total = figures_of(rows)
    figures = total.figures
    return {
        "stable": pair[0],
        "canary": pair[1],
        "first_at": format_utc(total.first_at),
        "last_at": format_utc(total.last_at),
        "batches": figures.batches,
        **_agreement(figures),
        "unusable": figures.unusable,
        "classes": _classes(figures),
        "latency": {"stable": _latency(figures.stable), "canary": _latency(figures.canary)},
        "hours": [
            {"hour": format_utc(row.hour), **_agreement(Figures.from_json(row.figures))}
            for row in rows
            if row.hour != BEFORE
        ][-_HOURS:],
        "disagreements": [_disagreement(row) for row in found],
    }


def _agreement(figures: Figures) -> dict[str, Any]:
    loud = figures.windows - figures.quiet
    return {
        "windows": figures.windows,
        "quiet": figures.quiet,
        "agreement": _share(figures.agreed - figures.quiet, loud),
        "leaf_agreement": _share(figures.agreed_leaf, loud),
    }


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _classes(figures: Figures) -> list[dict[str, Any]]:
    """Each class path that one of both knows, in order; ``unknown`` and ``no_signal`` last."""
    stable, canary = figures.stable.heard, figures.canary.heard
    answers = [UNKNOWN, NO_SIGNAL]
    paths = [*sorted({*stable, *canary} - set(answers)), *(one for one in answers if one in stable)]
    told: list[dict[str, Any]] = []
    for path in paths:
        difference = figures.differences.get(path)
        of_scores: dict[str, float | None] = {
            "mean_difference": None,
            "mean_absolute_difference": None,
            "largest_difference": None,
        }
        if difference is not None and difference.windows:
            of_scores = {
                "mean_difference": _share(difference.total, difference.windows),
                "mean_absolute_difference": _share(difference.absolute, difference.windows),
                "largest_difference": round(difference.largest, 6),
            }
        told.append(
            {
                "class": path,
                **{
                    f"{name}_{what}": value
                    for name, heard in (("stable", stable), ("canary", canary))
                    for what, value in (
                        ("windows", heard.get(path)),
                        ("rate", _share(heard[path], figures.windows) if path in heard else None),
                    )
                },
                **of_scores,
            }
        )
    return told


def _latency(side: SideFigures) -> dict[str, float | None]:
    seconds = {"mean_s": side.latency.mean_s} | {
        name: side.latency.quantile_s(share) for name, share in _QUANTILES.items()
    }
    return {name: None if one is None else round(one, 6) for name, one in seconds.items()}


def _disagreement(row: ShadowDisagreement) -> dict[str, Any]:
    return {
        "at": format_utc(row.at),
        "channel": row.channel,
        "start": row.start,
        "stable": {"class": row.stable_class, "score": round(row.stable_score, 4)},
        "canary": {"class": row.canary_class, "score": round(row.canary_score, 4)},
        "scores": {path: {"stable": one[0], "canary": one[1]} for path, one in row.scores.items()},
    }
