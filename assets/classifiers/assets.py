"""Trained and evaluated classifiers."""

import logging

import dagster as dg

from assets.instance import TRAINING_POOL
from assets.metadata import class_table, picture, versioned
from serving.publishing import generation_in_service
from tidzam_platform.catalog.generations import get_generation, register_candidate
from tidzam_platform.classifiers.candidate import OneExpert, Watcher, experts_of, make_candidate
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.classifiers.training import Epoch
from tidzam_platform.errors import TrainingError
from tidzam_platform.files import exclusive
from tidzam_platform.home import Home
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


class ClassifierConfig(dg.Config):
    """What is trained."""

    expert: str = ""  # empty: the whole tree
    base: int = 0  # generation that the other experts are taken from; 0: the one in service


def _one_expert(home: Home, config: ClassifierConfig) -> OneExpert:
    base = get_generation(home.catalog, config.base) if config.base else generation_in_service(home)
    if base is None:
        raise TrainingError(
            f"no generation is in service whose other experts could be kept beside {config.expert!r}: "
            "train a whole tree first, ./tidzam generation run"
        )
    return OneExpert(config.expert, base.manifest["experts"]["selector"]["weights"])


@dg.asset(
    group_name="learning", kinds={"tensorflow", "keras"}, owners=["team:model-owners"], pool=TRAINING_POOL
)
def classifier(config: ClassifierConfig, dataset: str) -> dg.Output[int]:
    """A classifier trained on the dataset version and evaluated on its test side: a candidate generation.

    With ``expert`` only that one is trained, and the others are those of the generation ``base``.
    The same ingredients (data, settings, code) give the candidate that is there already. Its value is its number.
    """
    home = Home.open()
    with exclusive(home.settings.locks_folder / "training", "training"):
        only = _one_expert(home, config) if config.expert else None
        made = make_candidate(home, dataset, ProgressLog(), only)
        manifest = {"experts": experts_of(home, made)}
        generation = register_candidate(home.catalog, made.fingerprint, dataset, manifest, made.evaluation)
    evaluation = made.evaluation
    return versioned(
        generation.number,
        made.fingerprint,
        {
            "generation": generation.number,
            "dataset_version": dataset,
            "macro_f1": evaluation["macro_f1"],
            "accuracy": evaluation["accuracy"],
            "test_clips": evaluation["clips"],
            "epochs": len(evaluation["epochs"]),
            "classes": class_table(evaluation["per_class"]),
            "confusion": picture(home.store.get_bytes(f"{made.prefix}/confusion.png"), "confusion matrix"),
            "code_version": code_version(),
        },
    )
