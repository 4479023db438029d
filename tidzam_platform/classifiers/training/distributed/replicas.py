"""What in a network must know of the other replicas: batch normalisation and dropout."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.training.distributed.team import Team

_SEED_STATE: Final = "seed_generator_state"  # as Keras names it; uint32 or int32 [seed, draws so far]
_APART: Final = 1_000_003  # between the seeds of two replicas


def normalise_over_all(model: Any) -> None:
    """Let batch normalisation take mean and variance of the whole batch, not of a replica's part."""
    kind = load_keras().layers.BatchNormalization
    for layer in model.layers:
        if hasattr(layer, "layers"):
            normalise_over_all(layer)
        elif isinstance(layer, kind):
            layer.synchronized = True


@contextlib.contextmanager
def draws_of_their_own(model: Any, team: Team) -> Iterator[None]:
    """In this block replicas draw masks of dropout of their own; after it their random states are alike again."""
    states = [variable for variable in model.variables if variable.path.endswith(_SEED_STATE)]
    seeds = [state.numpy()[0] for state in states]
    for state in states:
        copies = team.strategy.experimental_local_results(state.value)
        for replica, copy in zip(team.replicas_here, copies, strict=True):
            seed, draws = copy.numpy()
            copy.assign(np.array([(int(seed) + replica * _APART) & 0x7FFFFFFF, draws], state.dtype))
    yield
    for state, seed in zip(states, seeds, strict=True):
        state.assign(np.array([seed, state.numpy()[1]], state.dtype))
