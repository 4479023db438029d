"""How a training goes on, in the log of its run."""

from __future__ import annotations

import logging

from tidzam_platform.classifiers.candidate import Watcher
from tidzam_platform.classifiers.training import Epoch
from tidzam_platform.operations.termination import stop_held_back

log = logging.getLogger("tidzam.classifiers")


class ProgressLog(Watcher):
    """Says in the log how training goes on. Dagster writes each line to its database, which a stop must not cut off."""

    @stop_held_back()
    def clips_to_decode(self, total: int) -> None:  # noqa: D102
        log.info("decoding %d clips", total)

    @stop_held_back()
    def epoch_ended(self, epoch: Epoch, of: int) -> None:  # noqa: D102
        validation = (
            "on both sides" if epoch.validation_loss is None else f"validation {epoch.validation_loss:.3f}"
        )
        log.info("epoch %d of at most %d: loss %.3f, %s", epoch.number, of, epoch.train_loss, validation)
