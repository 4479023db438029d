"""Tables of ``./tidzam evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tidzam_platform.cli.output import print_table

if TYPE_CHECKING:
    from serving.evaluating import FolderFigures, RecordingFigures
    from tidzam_platform.classifiers.evaluation.events import EventFigures
    from tidzam_platform.classifiers.evaluation.multi_label import MultiLabelFigures

_OF_CLASS: Final = ("precision", "recall", "f1", "auroc", "average_precision")


def print_clips(data: Path, figures: FolderFigures) -> None:
    """Figures of labelled clips, then of each class."""
    answer = figures.to_dict()
    low, high = answer["ci95"]
    print_table(
        f"{data}, {answer['clips']} clips, generation {figures.generation}",
        ["figure", "value", "meaning"],
        [
            (
                "macro-F1",
                _share(answer["macro_f1"]),
                f"best leaf class; 95 % interval {low:.3f} to {high:.3f}",
            ),
            ("accuracy", _share(answer["accuracy"]), "best leaf class"),
            (
                "decided macro-F1",
                _share(answer["decided_macro_f1"]),
                "with abstention: no decision is a miss",
            ),
            ("coverage", _share(answer["coverage"]), "share of the clips with a decision"),
            ("precision", _share(answer["decided_precision"]), "share of those decisions that are right"),
            ("ECE", _share(answer["ece"]), "how far confidence is from being right"),
            ("AUROC", _share(answer["auroc"]), "mean over the classes"),
            ("average precision", _share(answer["average_precision"]), "mean over the classes"),
        ],
    )
    columns = (*_OF_CLASS, "decided_precision", "decided_recall")
    print_table(
        "classes",
        ["class", "clips", *(column.replace("_", " ") for column in columns)],
        [
            (name, one["clips"], *(_share(one[column]) for column in columns))
            for name, one in answer["per_class"].items()
        ],
    )
    if figures.each is not None:
        _print_each(figures.each)


def _print_each(figures: MultiLabelFigures) -> None:
    """Figures of every class against the set of true ones."""
    ranking = figures.ranking
    print_table(
        f"each class by itself, macro-F1 {figures.macro_f1:.3f}",
        ["class", "clips", *(column.replace("_", " ") for column in _OF_CLASS)],
        [
            (
                name,
                one.clips,
                *map(_share, (one.precision, one.recall, one.f1)),
                *map(_share, (ranking[name].auroc, ranking[name].average_precision)),
            )
            for name, one in figures.per_class.items()
        ],
    )


def print_recordings(folder: Path, figures: RecordingFigures) -> None:
    """Figures of recordings with label tracks, then of each class."""
    print_table(
        f"{folder}, {figures.channels} channels of {figures.recordings} recordings, "
        f"{figures.seconds / 60:.1f} min, generation {figures.generation}",
        ["figure", "all events", "unseen clips"],
        _recording_rows(figures),
    )
    events, segments = figures.sounds.event_based.per_class, figures.sounds.segment_based.per_class
    print_table(
        "classes",
        ["class", "events", "heard", "found", "event F1", "segment F1"],
        [
            (name, one.reference, one.heard, one.matched, _share(one.f1), _share(segments[name].f1))
            for name, one in events.items()
        ],
    )


def _recording_rows(figures: RecordingFigures) -> list[tuple[str, ...]]:
    unseen = figures.unseen.sounds if figures.unseen else None
    per_hour = figures.false_alarms.per_hour
    hours = f"false alarms per hour ({figures.false_alarms.hours:.2f} h without events)"
    return [
        *_f1_rows(
            "event (onset within 0.5 s)", figures.sounds.event_based, unseen.event_based if unseen else None
        ),
        *_f1_rows("segment (1 s)", figures.sounds.segment_based, unseen.segment_based if unseen else None),
        (hours, "-" if per_hour is None else f"{per_hour:.1f}", "-"),
    ]


def _f1_rows(title: str, known: EventFigures, unseen: EventFigures | None) -> list[tuple[str, ...]]:
    return [
        (f"{title} macro-F1", _share(known.macro_f1), _share(unseen.macro_f1 if unseen else None)),
        (f"{title} micro-F1", _share(known.micro.f1), _share(unseen.micro.f1 if unseen else None)),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
