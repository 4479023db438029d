"""Scoring a generation on labelled audio that no training saw: clips of a folder, or recordings with label tracks.

::

    class_names    from the names that people write to the classes of the model
    clip_scores    every window of many clips through the model
    folder         figures of a folder of labelled clips
    label_tracks   Audacity label tracks beside recordings
    recordings     figures of recordings with label tracks
    unseen         which events of a recording come from clips that were trained on
"""

from serving.evaluating.folder import evaluate_clips, read_labelled_folder
from serving.evaluating.folder_figures import FolderFigures
from serving.evaluating.recording_figures import RecordingFigures
from serving.evaluating.recordings import evaluate_recordings

__all__ = [
    "FolderFigures",
    "RecordingFigures",
    "evaluate_clips",
    "evaluate_recordings",
    "read_labelled_folder",
]
