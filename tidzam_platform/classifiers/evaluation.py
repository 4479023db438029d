"""How good a classifier is on a side of a dataset: numbers for machines, a picture for people."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.expert import Expert
from tidzam_platform.classifiers.features import ClipFeatures, patches_on_grid
from tidzam_platform.classifiers.training import predict_probabilities
from tidzam_platform.errors import TrainingError


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class, all in [0, 1]; ``clips`` is how many clips of it were tested."""

    precision: float
    recall: float
    f1: float
    clips: int


@dataclass(frozen=True)
class Evaluation:
    """Clip-level figures, closed set (the best class counts).

    ``confusion[i][j]`` counts clips of class ``classes[i]`` that were heard as ``classes[j]``. Macro-F1 is the
    plain mean of F1 over the classes that have clips in the test.
    """

    macro_f1: float
    accuracy: float
    clips: int
    classes: tuple[str, ...]
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON holds them."""
        return asdict(self)


def evaluate_expert(expert: Expert, clips: Sequence[ClipFeatures]) -> Evaluation:
    """Evaluate on ``clips``; a clip's answer is the class with the highest mean probability over its windows.

    Raises:
        TrainingError: no clips.
    """
    if not clips:
        raise TrainingError(
            f"{expert.name}: no clips to evaluate on; label clips in at least three groups a class"
        )
    probabilities = predict_probabilities(expert.network, patches_on_grid(clips, expert.front_end))
    answers, start = [], 0
    for clip in clips:
        stop = start + len(clip.offsets)
        answers.append(expert.outputs[int(probabilities[start:stop].mean(axis=0).argmax())])
        start = stop
    return compare([clip.class_paths for clip in clips], answers)


def compare(truths: Sequence[tuple[str, ...]], answers: Sequence[str]) -> Evaluation:
    """Figures of ``answers`` against ``truths``; of a clip with several classes any of them is right."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    expected = [
        answer if answer in truth else truth[0] for truth, answer in zip(truths, answers, strict=True)
    ]
    tested = sorted(set(expected))
    classes = sorted({*expected, *answers})
    precision, recall, f1, support = precision_recall_fscore_support(
        expected, list(answers), labels=classes, zero_division=0.0
    )
    per_class = {
        name: ClassFigures(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
        for i, name in enumerate(classes)
    }
    matrix = confusion_matrix(expected, list(answers), labels=classes)
    return Evaluation(
        macro_f1=float(np.mean([per_class[name].f1 for name in tested])),
        accuracy=float(np.mean([truth == answer for truth, answer in zip(expected, answers, strict=True)])),
        clips=len(answers),
        classes=tuple(classes),
        per_class=per_class,
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
    )


def confusion_picture(evaluation: Evaluation) -> bytes:
    """The confusion matrix as a PNG: shares of each true class, counts written in."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts: npt.NDArray[np.int64] = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size_inches = 2.5 + 0.42 * len(evaluation.classes)
    figure = Figure(figsize=(size_inches + 1, size_inches), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
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
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
