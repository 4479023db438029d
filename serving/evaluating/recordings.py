"""Scoring a generation on recordings with label tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from serving.analysis import Hearing, Model, hear_file
from serving.evaluating.class_names import ClassTree, LabelMap, as_named_by
from serving.evaluating.label_tracks import LabelledRecording
from serving.evaluating.recording_figures import RecordingFigures, SoundFigures, UnseenFigures
from serving.evaluating.unseen import Origins, UnseenTrack, without_trained
from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN
from tidzam_platform.classifiers.evaluation.events import TimedLabel, Track, event_based, segment_based
from tidzam_platform.classifiers.evaluation.false_alarms import false_alarms, is_background
from tidzam_platform.errors import AudioError, LabelError
from tidzam_platform.settings import DecisionSettings


@dataclass(frozen=True)
class _HeardChannel:
    recording: Path
    channel: int
    seconds: float
    labels: tuple[TimedLabel, ...]
    track: Track


def evaluate_recordings(
    recordings: Sequence[LabelledRecording],
    model: Model,
    decision: DecisionSettings,
    *,
    origins: Origins | None = None,
    trained: frozenset[str] | None = None,
    progress: Callable[[int], None] = lambda _more: None,
) -> RecordingFigures:
    """Hear recordings and compare the events of each channel that has a track with what the track says.

    Labels may be class paths or their endings: ``cat`` is ``animal-cat`` if no other class of the model ends so,
    ``American Crow`` is ``birds-american_crow``. A label that the model does not know, or that may mean several of
    its classes, is listed, and its events are misses. A heard event below a class that the tracks name
    (``birds-crow`` where they only say ``birds``) counts as that class; one of a class above the label's
    (``birds`` for ``birds-crow``) does not find it. ``unknown`` and ``no_signal`` are no events,
    and neither are background classes (see ``is_background``) that the tracks do not name. Missing audio is not
    scored, nor are labels that touch it.

    Args:
        recordings: at least one.
        model: the generation.
        decision: how scores become answers and events.
        origins: which clip each event is, if known.
        trained: file names of the clips that the generation was trained on, if known; with ``origins`` the events
            of all other clips are scored by themselves as well.
        progress: is told how many more seconds are heard.

    Raises:
        LabelError: a track names a channel that its recording does not have.
        AudioError: no recording can be heard.
        ModelServerError: the model does not answer.
    """
    description = model.describe()
    unusable: list[dict[str, str]] = []
    hearings: list[tuple[LabelledRecording, Hearing]] = []
    for recording in recordings:
        try:
            hearings.append((recording, _hear(recording, model, decision, progress)))
        except AudioError as error:
            unusable.append({"file": str(recording.path), "error": str(error)})
    if not hearings:
        raise AudioError(f"none of {len(recordings)} recordings can be heard: {unusable[0]['error']}")
    said = (label.class_path for one, _ in hearings for track in one.tracks.values() for label in track)
    labels = LabelMap.of(said, ClassTree.of(description))
    channels = _channels(hearings, labels)
    return RecordingFigures(
        generation=description.generation,
        recordings=len(hearings),
        channels=len(channels),
        seconds=sum(one.seconds for one in channels),
        sounds=_sounds([one.track for one in channels]),
        false_alarms=false_alarms((one.track, one.seconds) for one in channels),
        unseen=_unseen(channels, origins, trained) if origins and trained is not None else None,
        labels=labels,
        unusable=tuple(unusable),
    )


def _hear(
    recording: LabelledRecording, model: Model, decision: DecisionSettings, progress: Callable[[int], None]
) -> Hearing:
    done_s = 0

    def advance(seconds: float) -> None:
        nonlocal done_s
        progress(int(seconds) - done_s)
        done_s = int(seconds)

    hearing = hear_file(recording.path, model, decision, progress=advance)
    beyond = max(recording.tracks)
    if beyond > hearing.info.channels:
        raise LabelError(
            f"{recording.path} has {hearing.info.channels} channels, but a label track for channel {beyond}"
        )
    return hearing


def _channels(hearings: Sequence[tuple[LabelledRecording, Hearing]], labels: LabelMap) -> list[_HeardChannel]:
    names = {
        labels.class_of(label.class_path)
        for recording, _ in hearings
        for track in recording.tracks.values()
        for label in track
    }
    channels = []
    for recording, hearing in hearings:
        holes = hearing.info.holes
        for channel, track in recording.tracks.items():
            whole = [label for label in track if not any(map(label.touches, holes))]
            cut = [(label.onset_s, label.offset_s) for label in track if label not in whole]
            compared = Track(
                tuple(
                    TimedLabel(one.onset_s, one.offset_s, labels.class_of(one.class_path)) for one in whole
                ),
                _heard(hearing, channel, names),
                (*holes, *cut),
            )
            channels.append(
                _HeardChannel(recording.path, channel, hearing.info.seconds, tuple(whole), compared)
            )
    return channels


def _heard(hearing: Hearing, channel: int, names: AbstractSet[str]) -> tuple[TimedLabel, ...]:
    events = [
        TimedLabel(
            hearing.seconds(event.start_frame),
            hearing.seconds(event.end_frame),
            as_named_by(names, event.class_path),
        )
        for event in hearing.events
        if event.channel == channel and event.class_path not in (UNKNOWN, NO_SIGNAL)
    ]
    return tuple(
        event for event in events if event.class_path in names or not is_background(event.class_path)
    )


def _sounds(tracks: Sequence[Track]) -> SoundFigures:
    return SoundFigures(event_based(tracks), segment_based(tracks))


def _unseen(channels: Sequence[_HeardChannel], origins: Origins, trained: frozenset[str]) -> UnseenFigures:
    parts: list[UnseenTrack] = [
        without_trained(one.track, one.recording, one.channel, one.labels, origins, trained)
        for one in channels
    ]
    return UnseenFigures(
        events=sum(len(part.track.reference) for part in parts),
        trained_events=sum(part.trained for part in parts),
        events_without_origin=sum(part.without_origin for part in parts),
        sounds=_sounds([part.track for part in parts]),
    )
