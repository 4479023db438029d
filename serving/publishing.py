"""From a candidate in the store to a version in the model repository."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from serving.companion import write_companion
from serving.export import export_saved_model
from serving.local import LocalModel
from serving.repository import ModelRepository
from serving.tree_model import describe_tree
from tidzam_platform import crash_points
from tidzam_platform.audio import Window
from tidzam_platform.catalog.generations import (
    CANDIDATE,
    EXPORTED,
    get_generation,
    newest_exported,
    set_exported,
)
from tidzam_platform.catalog.tables import Generation
from tidzam_platform.classifiers.gate.verdicts import is_publishable
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.errors import GateRefusedError, ModelRepositoryError
from tidzam_platform.files import exclusive
from tidzam_platform.home import Home

_LOG = logging.getLogger("tidzam.publishing")

EXPORT_TOLERANCE: Final = 1e-4  # between the trained model's scores and those of the exported one
_WARM_UP_WINDOWS: Final = 64
_WARM_UP_LEVEL: Final = 0.05


def publish_generation(home: Home, number: int) -> Path:
    """Export a generation that passed the gate, or that a person let through, with the label that the settings say.

    Doing it again does what is left to do, and changes nothing where all is done: a label that went on to another
    generation since then stays there. A version that is damaged, or whose key is trusted no more, is exported anew.
    Returns the version's folder.

    Raises:
        GateRefusedError: the gate has not passed it, or not beside the one whose label it would get.
        ModelRepositoryError: the exported model answers otherwise than the trained one, or the generation was
            retired and removed.
    """
    row = get_generation(home.catalog, number)
    if row.state not in (CANDIDATE, EXPORTED) or not is_publishable(row.manifest.get("gate", {})):
        raise GateRefusedError(
            f"generation {number} has not passed the gate: "
            + "; ".join(row.manifest.get("gate", {}).get("reasons", []))
        )
    repository = ModelRepository(home.settings.models_folder)
    with exclusive(home.settings.locks_folder / "publish", "publishing"):
        if not repository.is_fit(number):
            repository.require_publishable(number)
            tree = TrainedTree.load(home.store, row.manifest["experts"]["selector"]["weights"])
            description = describe_tree(tree, number, row.dataset_version)
            model, audio = tree.serving_model(), _warm_up_audio(tree.front_end.window_frames)
            with repository.staging() as staged:
                export_saved_model(
                    model,
                    description,
                    staged,
                    audio,
                    lambda folder: write_companion(tree.hearing, tree.front_end, folder),
                )
                _assert_same_answers(model, staged, audio)
                crash_points.reach("generation.exported")
                repository.publish(number, staged)
        crash_points.reach("generation.published")
        set_exported(home.catalog, number)
        crash_points.reach("generation.recorded")
        change = repository.introduce(
            number,
            home.settings.model_repository.after_gate,
            # Verdicts from before this was kept do not say: the gate judges again, which takes no training.
            judged_beside=row.manifest["gate"].get("incumbent"),
        )
        if change is not None:
            _LOG.info("generation %d is %s: %s", number, change.label, change.reason)
        repository.write_server_files(home.settings.model_server.batching)
    return repository.path(number)


def _warm_up_audio(window_frames: int) -> npt.NDArray[np.float32]:
    """Windows of noise at rising levels, the same every time."""
    random = np.random.default_rng(0)
    levels = np.linspace(0, _WARM_UP_LEVEL, _WARM_UP_WINDOWS, dtype=np.float32)[:, np.newaxis]
    return random.standard_normal((_WARM_UP_WINDOWS, window_frames), dtype=np.float32) * levels


def _assert_same_answers(model: Any, staged: Path, audio: npt.NDArray[np.float32]) -> None:
    expected = np.asarray(model(audio, training=False)["scores"])
    with LocalModel(staged) as exported:
        windows = [Window(0, window[np.newaxis]) for window in audio]
        answers = {
            "exported model": exported.predict(audio).scores,
            "companion": exported.predict_windows(windows).scores,
        }
    for name, scores in answers.items():
        difference = float(np.abs(scores - expected).max())
        if not difference <= EXPORT_TOLERANCE:
            raise ModelRepositoryError(
                f"the {name}'s scores differ from the trained one's by {difference:.2g} "
                f"(at most {EXPORT_TOLERANCE:g} is right); it was not published"
            )


def generation_in_service(home: Home) -> Generation | None:
    """The generation that microphones hear by: the stable one, before any promotion the newest; None without one."""
    number = ModelRepository(home.settings.models_folder).in_service()
    return newest_exported(home.catalog) if number is None else get_generation(home.catalog, number)
