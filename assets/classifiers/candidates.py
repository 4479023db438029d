"""Training and registering a candidate: what the bodies of the assets do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assets.classifiers.progress import ProgressLog
from serving.publishing import generation_in_service
from tidzam_platform.catalog.generations import get_generation, register_candidate
from tidzam_platform.classifiers.candidate import OneExpert, experts_of, make_candidate
from tidzam_platform.errors import TrainingError
from tidzam_platform.files import exclusive
from tidzam_platform.home import Home


@dataclass(frozen=True)
class Made:
    """A trained and evaluated tree.

    Attributes:
        number: of the generation; 0 where it was not registered.
        fingerprint: of all that made it.
        prefix: of its objects in the store.
        experts: by name, where each comes from: data, code, weights.
        evaluation: on the test side.
    """

    number: int
    fingerprint: str
    prefix: str
    experts: Mapping[str, Mapping[str, str]]
    evaluation: Mapping[str, Any]


def candidate_of(
    home: Home, dataset: str, expert: str = "", base: int = 0, *, register: bool = False
) -> Made:
    """Train on a dataset version, or take what the same ingredients gave before.

    Args:
        home: whose data.
        dataset: its version.
        expert: the one that is trained; empty: the whole tree.
        base: with an expert, the generation that the others are taken from; 0: the one in service.
        register: give it a number: it is a candidate generation from then on.

    Raises:
        BusyError: another training is at work.
        TrainingError: no generation whose other experts could be kept; and as ``make_candidate``.
    """
    with exclusive(home.settings.locks_folder / "training", "training"):
        only = _one_expert(home, expert, base) if expert else None
        made = make_candidate(home, dataset, ProgressLog(), only)
        experts = experts_of(home, made)
        number = 0
        if register:
            manifest = {"experts": experts}
            number = register_candidate(
                home.catalog, made.fingerprint, dataset, manifest, made.evaluation
            ).number
    return Made(number, made.fingerprint, made.prefix, experts, made.evaluation)


def _one_expert(home: Home, name: str, base_number: int) -> OneExpert:
    base = get_generation(home.catalog, base_number) if base_number else generation_in_service(home)
    if base is None:
        raise TrainingError(
            f"no generation is in service whose other experts could be kept beside {name!r}: "
            "train a whole tree first, ./tidzam generation run"
        )
    return OneExpert(name, base.manifest["experts"]["selector"]["weights"])
