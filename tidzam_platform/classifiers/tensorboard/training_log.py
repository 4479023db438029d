"""The log of one training: points as epochs end, all else when it has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from tidzam_platform.classifiers.evaluation import Evaluation
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.tensorboard.event_file import EventFile
from tidzam_platform.classifiers.tensorboard.folders import replace_folder
from tidzam_platform.classifiers.tensorboard.result import write_result
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable
from tidzam_platform.classifiers.training.checkpoint import Checkpoint
from tidzam_platform.settings import Settings

STAGES: Final = ("chosen", "refitted")  # as fit_tree names their checkpoints; each is a run
RESULT: Final = "result"  # the run of what came out

_LOG = logging.getLogger("tidzam.tensorboard")


class TrainingLog:
    """Writes the log of the training with a fingerprint, from its first epoch or from where it was killed.

    A resumed training writes its log anew, the epochs before the kill from its checkpoints, so that no point comes
    twice. What cannot be written costs a warning and the rest of the log, never the training: a training takes
    hours and a log decides nothing.
    """

    def __init__(self, settings: Settings, resumable: Resumable) -> None:
        """Begin; nothing is written with ``training.tensorboard`` off."""
        self._is_on = settings.training.tensorboard
        self._folder = settings.tensorboard_folder / resumable.fingerprint
        self._stages: list[EventFile] = []
        self._last_epoch = 0
        self._harmlessly(lambda: self._begin(resumable))

    def epoch_ended(self, epoch: Epoch) -> None:
        """Add an epoch to the run of its stage; a number that does not go on from the last begins the next stage."""
        self._harmlessly(lambda: self._add(epoch))

    def training_ended(
        self, tree: TrainedTree, clips: Sequence[ClipFeatures], evaluation: Evaluation
    ) -> None:
        """Write what came out: the tree, and its figures on the ``clips`` of the test side."""
        self._harmlessly(lambda: write_result(self._folder / RESULT, tree, clips, evaluation))

    def _begin(self, resumable: Resumable) -> None:
        replace_folder(self._folder.parent, self._folder.name)
        for stage in STAGES:
            kept = Checkpoint.load(resumable.stage(stage).file, resumable.fingerprint)
            for epoch in kept.notes["history"] if kept else ():
                self._add(Epoch(**epoch))

    def _add(self, epoch: Epoch) -> None:
        if not self._stages or epoch.number <= self._last_epoch:
            self._stages.append(EventFile(self._folder / STAGES[len(self._stages)]))
        self._last_epoch = epoch.number
        points = {"loss/train": epoch.train_loss, "learning_rate": epoch.learning_rate}
        if epoch.validation_loss is not None:
            points["loss/validation"] = epoch.validation_loss
        self._stages[-1].scalars(epoch.number, points)

    def _harmlessly(self, write: Callable[[], None]) -> None:
        if not self._is_on:
            return
        try:
            write()
        except Exception as error:  # noqa: BLE001 - logged; no fault of a log may end a training
            self._is_on = False
            _LOG.warning(
                "the TensorBoard log in %s is not complete (%s: %s), the training goes on without it; make room "
                "there, or turn these logs off (training.tensorboard)",
                self._folder,
                type(error).__name__,
                error,
                exc_info=not isinstance(error, OSError),
            )
