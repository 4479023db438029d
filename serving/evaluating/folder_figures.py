"""What an evaluation on labelled clips says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tidzam_platform.classifiers.evaluation import Evaluation
from tidzam_platform.classifiers.evaluation.bootstrap import Interval
from tidzam_platform.classifiers.evaluation.calibration_figures import ReliabilityBin
from tidzam_platform.classifiers.evaluation.clips import Ranking, mean_ranking
from tidzam_platform.classifiers.evaluation.multi_label import MultiLabelFigures


@dataclass(frozen=True)
class FolderFigures:
    """What a generation is worth on labelled clips; :func:`evaluate_clips` says how answers are made.

    Attributes:
        generation: that was evaluated.
        closed: figures of the best leaf class of each clip.
        decided: figures of the decision on each clip, where abstaining is a miss.
        coverage: share of the clips that a decision covers, in [0, 1].
        decided_precision: share of the covered clips whose decision is right; None if none is covered.
        interval: of ``closed.macro_f1``; groups are drawn where the labels name them.
        ece: of the best leaf's score, 15 bins of equal mass.
        brier: of the best leaf's score.
        reliability: the bins of ``ece``.
        ranking: of each class of the data that the model knows, against the rest.
        unknown_classes: classes of the data that the model does not know, or that may mean several of its classes;
            their clips count as wrong.
        unusable: ``file`` and ``error`` of clips that could not be heard; they are in no figure.
        each: of a generation of several labels, every class of ``ranking`` against the set of true classes.
    """

    generation: int
    closed: Evaluation
    decided: Evaluation
    coverage: float
    decided_precision: float | None
    interval: Interval
    ece: float
    brier: float
    reliability: tuple[ReliabilityBin, ...]
    ranking: dict[str, Ranking]
    unknown_classes: tuple[str, ...]
    unusable: tuple[dict[str, str], ...]
    each: MultiLabelFigures | None = None

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON holds them."""
        macro = mean_ranking(list(self.ranking.values()))
        return {
            "generation": self.generation,
            "clips": self.closed.clips,
            "macro_f1": self.closed.macro_f1,
            "ci95": [self.interval.low, self.interval.high],
            "accuracy": self.closed.accuracy,
            "decided_macro_f1": self.decided.macro_f1,
            "coverage": self.coverage,
            "decided_precision": self.decided_precision,
            "ece": self.ece,
            "brier": self.brier,
            "auroc": macro.auroc,
            "average_precision": macro.average_precision,
            "per_class": {name: self.of_class(name) for name in self.closed.classes},
            "confusion": {"classes": self.closed.classes, "counts": self.closed.confusion},
            "reliability": [asdict(one) for one in self.reliability],
            "unknown_classes": self.unknown_classes,
            "unusable": self.unusable,
            "multi_label": asdict(self.each) if self.each else None,
        }

    def of_class(self, name: str) -> dict[str, Any]:
        """Figures of one class, closed set and decided."""
        decided = self.decided.per_class.get(name)
        return {
            **asdict(self.closed.per_class[name]),
            **asdict(self.ranking.get(name, Ranking(None, None))),
            "decided_precision": decided.precision if decided else 0.0,
            "decided_recall": decided.recall if decided else 0.0,
        }
