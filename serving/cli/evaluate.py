"""``./tidzam evaluate``: how good a generation is on labelled audio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidzam_platform.cli.output import json_option, print_json, progress_bar, remarks

if TYPE_CHECKING:
    from serving.evaluating import FolderFigures, RecordingFigures
    from serving.evaluating.label_tracks import LabelledArchive
    from serving.evaluating.unseen import TrainedClips
    from tidzam_platform.settings import Settings


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder with labelled clips and the labels.csv that names them.",
)
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder with recordings and Audacity label tracks beside them.",
)
@click.option(
    "--generation", type=click.IntRange(1), help="The generation to evaluate (default: the newest)."
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --data: write a confusion matrix, a reliability diagram and bars per class into this folder.",
)
@click.option(
    "--pooling",
    type=click.Choice(["soft_vote", "maximum", "power_mean", "majority"]),
    default="soft_vote",
    show_default=True,
    help="With --data: how the scores of a clip's windows become the clip's.",
)
@json_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    data: Path | None,
    recordings: Path | None,
    generation: int | None,
    pictures: Path | None,
    pooling: str,
    as_json: bool,
) -> None:
    """Score a generation on labelled audio that no training saw: clips or whole recordings.

    --data takes clips (columns file and label, where known parent and group): macro-F1 and accuracy of the best
    leaf class; the same with the decision, which may abstain; calibration; figures of each class.
    --recordings takes recordings with a label track for each labelled channel (night.opus, night.ch1.txt, ...):
    F1 of events (onset within 0.5 s) and of segments (1 s), and false alarms per hour. Where a truth.csv beside
    them names the clip of each event, those of clips that were not trained on are scored by themselves too.

    \b
    Examples:
      ./tidzam evaluate --data fieldset --pictures figures
      ./tidzam evaluate --data fieldset --generation 3 --json | tail -n 1
      ./tidzam evaluate --recordings archive/marsh --json
    """
    from tidzam_platform.errors import AudioError
    from tidzam_platform.settings import load_settings

    settings = load_settings()
    if data is not None and recordings is None:
        figures = _evaluate_data(data, settings, generation, pooling, as_json)
        if pictures is not None:
            _write_pictures(figures, pictures)
        unusable = figures.unusable
    elif recordings is not None and data is None:
        if pictures is not None:
            raise click.UsageError("--pictures goes with --data")
        heard = _evaluate_recordings(recordings, settings, generation, as_json)
        unusable = heard.unusable
    else:
        raise click.UsageError("give either --data FOLDER or --recordings FOLDER")
    for bad in unusable:
        remarks.print(f"not in the figures: {bad['error']}", style="red")
    if unusable:
        ctx.exit(AudioError.exit_code)


def _evaluate_data(
    data: Path, settings: Settings, generation: int | None, pooling: str, as_json: bool
) -> FolderFigures:
    from serving.cli.evaluation_tables import print_clips
    from serving.evaluating import evaluate_clips, read_labelled_folder
    from serving.local import open_generation
    from tidzam_platform.classifiers.clip_pooling import POOLINGS

    entries = read_labelled_folder(data)
    with (
        open_generation(settings.models_folder, generation) as model,
        progress_bar("hearing clips", len(entries)) as progress,
    ):
        figures = evaluate_clips(
            entries,
            model,
            no_signal_dbfs=settings.decision.no_signal_dbfs,
            pooling=POOLINGS[pooling],
            progress=progress,
        )
    known, _reason = _trained(settings, figures.generation)
    trained = known.among(entry.path for entry in entries) if known else None
    if as_json:
        print_json({**figures.to_dict(), "trained_clips": trained})
    else:
        print_clips(data, figures)
    if trained:
        remarks.print(
            f"the generation was trained on {trained} of these clips: on them this is a training score",
            style="yellow",
        )
    if figures.unknown_classes:
        remarks.print(
            f"the generation does not know {', '.join(figures.unknown_classes)}: "
            "clips of these classes count as wrong",
            style="yellow",
        )
    return figures


def _evaluate_recordings(
    folder: Path, settings: Settings, generation: int | None, as_json: bool
) -> RecordingFigures:
    from serving.cli.evaluation_tables import print_recordings
    from serving.evaluating import evaluate_recordings
    from serving.evaluating.label_tracks import find_labelled
    from serving.evaluating.unseen import read_origins
    from serving.local import open_generation

    found = find_labelled(folder)
    origins = read_origins(one.path for one in found.recordings)
    with (
        open_generation(settings.models_folder, generation) as model,
        progress_bar("hearing recordings, seconds") as progress,
    ):
        trained: TrainedClips | None = None
        reason: str | None = "no truth.csv beside the recordings names the clip of each event"
        if origins is not None:
            trained, reason = _trained(settings, model.describe().generation)
        figures = evaluate_recordings(
            found.recordings,
            model,
            settings.decision,
            origins=origins,
            trained=trained.names if trained else None,
            progress=progress,
        )
    if as_json:
        print_json(
            {
                **figures.to_dict(),
                "unseen_reason": reason,
                "recordings_without_tracks": found.without_tracks,
                "tracks_without_recording": [str(path) for path in found.without_recording],
            }
        )
    else:
        print_recordings(folder, figures)
    _remark_on_tracks(figures, found, reason)
    return figures


def _trained(settings: Settings, generation: int) -> tuple[TrainedClips | None, str | None]:
    """The clips that the generation was trained on, or why they cannot be told."""
    from serving.evaluating.unseen import trained_clips
    from tidzam_platform.errors import CatalogError, DatasetError, ObjectNotFoundError
    from tidzam_platform.home import Home

    try:
        return trained_clips(Home.open(settings), generation), None
    except (CatalogError, DatasetError, ObjectNotFoundError) as error:
        return None, f"what the generation was trained on is not known here: {error}"


def _write_pictures(figures: FolderFigures, folder: Path) -> None:
    from tidzam_platform.classifiers.evaluation.pictures import (
        class_bars_picture,
        confusion_picture,
        reliability_picture,
    )
    from tidzam_platform.files import write_for_user

    f1 = {name: one.f1 for name, one in figures.closed.per_class.items() if one.clips}
    for name, picture in (
        ("confusion.png", confusion_picture(figures.closed)),
        ("reliability.png", reliability_picture(figures.reliability, figures.ece)),
        ("classes.png", class_bars_picture(f1, "F1, best leaf class")),
    ):
        write_for_user(folder / name, picture)
        remarks.print(f"wrote {folder / name}")


def _remark_on_tracks(figures: RecordingFigures, found: LabelledArchive, reason: str | None) -> None:
    if figures.labels.unknown:
        remarks.print(
            f"the generation does not know {', '.join(figures.labels.unknown)}: "
            "events with these labels count as missed",
            style="yellow",
        )
    for label, paths in figures.labels.ambiguous.items():
        remarks.print(
            f"{label} may be {' or '.join(paths)}: write the whole path; counted as missed", style="yellow"
        )
    for path in found.without_recording:
        remarks.print(f"{path} lies beside no recording of its name", style="yellow")
    if found.without_tracks:
        remarks.print(f"{found.without_tracks} recordings without a label track were not heard")
    if reason:
        remarks.print(f"unseen clips are not scored by themselves: {reason}")
