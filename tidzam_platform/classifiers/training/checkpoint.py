"""The state of a training after an epoch, in one file: what a killed training goes on from."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tidzam_platform.files import write_whole

Arrays = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """State after an epoch.

    Attributes:
        fingerprint: of all that decides the weights; another training's checkpoint is no use.
        epoch: the last one that ended.
        variables: of the model, random states of its layers included.
        optimizer: variables of the optimiser, its running mean of the weights included.
        best: weights of the best epoch.
        notes: history and whatever else JSON holds.
    """

    fingerprint: str
    epoch: int
    variables: Arrays
    optimizer: Arrays
    best: Arrays
    notes: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it; the file is this checkpoint or still the one before."""
        arrays = {
            f"{name}_{index:04d}": value
            for name, values in (
                ("variable", self.variables),
                ("optimizer", self.optimizer),
                ("best", self.best),
            )
            for index, value in enumerate(values)
        }
        head = {"fingerprint": self.fingerprint, "epoch": self.epoch, "notes": self.notes}
        buffer = io.BytesIO()
        np.savez(
            buffer, allow_pickle=False, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays
        )
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> Checkpoint | None:
        """The checkpoint of the training with that fingerprint, None if there is none."""
        return cls.read(path.read_bytes(), fingerprint) if path.exists() else None

    @classmethod
    def read(cls, data: bytes, fingerprint: str) -> Checkpoint | None:
        """What ``save`` wrote, None if it is of a training with another fingerprint."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            if head["fingerprint"] != fingerprint:
                return None

            def named(name: str) -> Arrays:
                return [arrays[key] for key in sorted(arrays.files) if key.startswith(f"{name}_")]

            return cls(
                fingerprint,
                head["epoch"],
                named("variable"),
                named("optimizer"),
                named("best"),
                head["notes"],
            )


def values(variables: Sequence[Any]) -> Arrays:
    """Copies of Keras variables as arrays."""
    return [np.array(variable.numpy()) for variable in variables]


def assign(variables: Sequence[Any], arrays: Sequence[npt.NDArray[Any]]) -> None:
    """Put ``arrays`` back into Keras variables of the same order."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
