"""Pictures of the gate, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidzam_platform.classifiers.evaluation.pictures import empty_figure, png_of

_CLASS_INCHES: Final = 0.3


def falls_picture(classes: Sequence[Mapping[str, Any]]) -> bytes:
    """F1 of each class in the generation in service and in the candidate, as ``class_falls`` tells them."""
    ordered = sorted(classes, key=lambda one: (one["f1"] - one["f1_before"], one["class"]), reverse=True)
    figure, axes = empty_figure(7, 1.4 + _CLASS_INCHES * max(len(ordered), 1))
    for at, one in enumerate(ordered):
        colour = "C3" if one["fell"] else "C0"
        axes.plot([one["f1_before"], one["f1"]], [at, at], color=colour, linewidth=2, alpha=0.5)
        axes.plot(one["f1_before"], at, marker="|", color="grey", markersize=12)
        axes.plot(one["f1"], at, marker="o", color=colour)
    axes.set_yticks(range(len(ordered)), [f"{one['class']} ({one['clips']})" for one in ordered])
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("F1: bar in service, dot candidate, red fell")
    return png_of(figure)


def scores_picture(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Generations on the newest frozen sets: macro-F1 with its interval, and false alarms per hour of noise below.

    Args:
        rows: ``generation``, ``macro_f1``, ``low``, ``high``, ``segment_macro_f1`` and ``false_alarms_per_hour``; the
            last two may be None.
    """
    figure, axes = empty_figure(7, 4.2)
    numbers = [row["generation"] for row in rows]
    axes.fill_between(numbers, [row["low"] for row in rows], [row["high"] for row in rows], alpha=0.2)
    axes.plot(
        numbers, [row["macro_f1"] for row in rows], marker="o", label="macro-F1, test clips (95 % interval)"
    )
    heard = [row for row in rows if row["segment_macro_f1"] is not None]
    if heard:
        axes.plot(
            [row["generation"] for row in heard],
            [row["segment_macro_f1"] for row in heard],
            marker="s",
            label="segment macro-F1, recordings",
        )
    axes.set_ylim(0, 1.02)
    axes.set_xticks(numbers)
    axes.set_xlabel("generation")
    noise = [row for row in rows if row["false_alarms_per_hour"] is not None]
    if noise:
        beside = axes.twinx()
        beside.bar(
            [row["generation"] for row in noise],
            [row["false_alarms_per_hour"] for row in noise],
            width=0.15,
            color="C3",
            alpha=0.5,
        )
        beside.set_ylim(bottom=0)
        beside.set_ylabel("false alarms per hour of noise (bars)")
    axes.legend(loc="lower right")
    return png_of(figure)
