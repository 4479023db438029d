"""A difference as a picture: bars by class, channel and hour."""

from __future__ import annotations

import io
from collections import Counter
from datetime import datetime
from typing import Any, Final

from tidzam_platform.detections.difference import Difference

_KINDS: Final = {
    "kept": "#9aa3ab",
    "gained": "#2a9d5c",
    "changed_to": "#3f7fbf",
    "lost": "#c8452d",
    "changed_from": "#e0a030",
}  # kind: colour; what is gone is drawn to the left
_GONE: Final = frozenset({"lost", "changed_from"})
_MOST_BARS: Final = 40  # of classes and channels, those with the most differences
_ROW_INCHES: Final = 0.28
_WIDTH_INCHES: Final = 11.0


def picture_of(found: Difference) -> bytes:
    """A PNG of three charts: what is heard now to the right of zero, what is not any more to the left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classes, channels = _most(found.by("class_path")), _most(found.by("channel"))
    hours = found.by("hour")
    heights = [max(2, len(classes)), max(2, len(channels)), 8]
    figure = Figure(figsize=(_WIDTH_INCHES, 2.5 + _ROW_INCHES * sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"{found.source}, {found.begin:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC: "
        f"generation {found.generation} beside {found.before}"
    )
    by_class, by_channel, by_hour = figure.subplots(3, 1, height_ratios=heights)
    _bars(by_class, classes, "detections by class")
    _bars(by_channel, channels, "detections by channel")
    _hours(by_hour, hours)
    by_class.legend(loc="best", fontsize="small")
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110)
    return sink.getvalue()


def _most(counts: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """The rows with the most differences, in their order."""
    ordered = sorted(counts, key=lambda name: -sum(counts[name][kind] for kind in _KINDS if kind != "kept"))
    chosen = set(ordered[:_MOST_BARS])
    return {name: one for name, one in counts.items() if name in chosen}


def _bars(axes: Any, counts: dict[str, Counter[str]], title: str) -> None:
    names = list(counts)
    right, left = [0] * len(names), [0] * len(names)
    for kind, colour in _KINDS.items():
        values = [counts[name][kind] for name in names]
        if kind in _GONE:
            left = [before - value for before, value in zip(left, values, strict=True)]
            axes.barh(names, values, left=left, color=colour, label=kind.replace("_", " "))
        else:
            axes.barh(names, values, left=right, color=colour, label=kind.replace("_", " "))
            right = [before + value for before, value in zip(right, values, strict=True)]
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_title(title, loc="left", fontsize="medium")


def _hours(axes: Any, counts: dict[datetime, Counter[str]]) -> None:
    hours = list(counts)
    for kind, colour in _KINDS.items():
        if kind != "kept":
            sign = -1 if kind in _GONE else 1
            values = [sign * counts[hour][kind] for hour in hours]
            axes.plot(hours, values, color=colour, marker="o", markersize=3, label=kind.replace("_", " "))
    axes.axhline(0, color="black", linewidth=0.8)
    axes.tick_params(axis="x", rotation=30)
    axes.set_title("detections by hour (UTC)", loc="left", fontsize="medium")
