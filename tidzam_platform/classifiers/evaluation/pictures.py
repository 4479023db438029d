"""Pictures of figures, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.evaluation.answers import Evaluation
from tidzam_platform.classifiers.evaluation.calibration_figures import ReliabilityBin

_DPI: Final = 110
_CLASS_INCHES: Final = 0.42  # of a class on an axis


def confusion_picture(evaluation: Evaluation) -> bytes:
    """The confusion matrix as a PNG: shares of each true class, counts written in."""
    counts: npt.NDArray[np.int64] = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size_inches = 2.5 + _CLASS_INCHES * len(evaluation.classes)
    figure, axes = empty_figure(size_inches + 1, size_inches)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(evaluation.classes)), evaluation.classes, rotation=60, ha="right")
    axes.set_yticks(range(len(evaluation.classes)), evaluation.classes)
    axes.set_xlabel("heard as")
    axes.set_ylabel("truth")
    axes.set_title(f"macro-F1 {evaluation.macro_f1:.3f}, {evaluation.clips} clips")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    return png_of(figure)


def reliability_picture(table: Sequence[ReliabilityBin], ece: float) -> bytes:
    """The reliability diagram: what share was right at each confidence, beside how many clips had it."""
    figure, axes = empty_figure(5, 5)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="as it should be")
    axes.plot(
        [one.confidence for one in table], [one.accuracy for one in table], marker="o", label="measured"
    )
    for one in table:
        axes.plot([one.low, one.high], [one.accuracy] * 2, color="C0", alpha=0.3, linewidth=4)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence of the best class")
    axes.set_ylabel("share that was right")
    axes.set_title(
        f"ECE {ece:.3f}, {sum(one.clips for one in table)} clips in {len(table)} bins of equal mass"
    )
    axes.legend(loc="upper left")
    return png_of(figure)


def class_bars_picture(values: Mapping[str, float], what: str) -> bytes:
    """One bar a class, the highest on top; ``what`` names the figure, which is in [0, 1]."""
    ordered = sorted(values.items(), key=lambda item: (item[1], item[0]))
    figure, axes = empty_figure(7, 1.2 + 0.6 * _CLASS_INCHES * max(len(ordered), 1))
    bars = axes.barh([name for name, _ in ordered], [value for _, value in ordered])
    axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
    axes.set_xlim(0, 1.08)
    axes.set_xlabel(what)
    return png_of(figure)


def empty_figure(width_inches: float, height_inches: float) -> tuple[Any, Any]:
    """A figure that belongs to no window, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def png_of(figure: Any) -> bytes:
    """The PNG of a figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
