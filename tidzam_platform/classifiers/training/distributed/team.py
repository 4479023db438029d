"""Who trains together: processes, their devices, and what they say to each other."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.training.distributed.health import HealthWatch
from tidzam_platform.classifiers.training.distributed.lost import lost_worker_told
from tidzam_platform.errors import TrainingError

FloatArray = npt.NDArray[np.float32]
_LENGTH: Final = struct.Struct("<Q")
_WORD: Final = np.dtype("<u2")  # float32 holds each of its values
# Words that are sent at once: each size is traced anew.
_FEW: Final = 64
_MANY: Final = 1 << 18


@dataclass(frozen=True)
class Team:
    """The replicas of one network: the devices of this process, and of others.

    Attributes:
        strategy: a ``tf.distribute`` strategy; None for one device of one process.
        workers: host:port of the processes, the leading one first; empty for one process.
        index: which of them this one is.
        health: watches the other processes.
    """

    strategy: Any = None
    workers: tuple[str, ...] = ()
    index: int = 0
    health: HealthWatch | None = None

    @property
    def is_alone(self) -> bool:
        """Whether there is but one replica."""
        return self.strategy is None

    @property
    def leads(self) -> bool:
        """Whether this process validates, and writes checkpoints and results."""
        return self.index == 0

    @property
    def replicas(self) -> int:
        """Replicas of all processes."""
        return 1 if self.is_alone else int(self.strategy.num_replicas_in_sync)

    @property
    def replicas_here(self) -> range:
        """Numbers of the replicas of this process, among those of all."""
        count = self.replicas // max(1, len(self.workers))
        return range(self.index * count, (self.index + 1) * count)

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Variables made in this block are of all replicas, and begin alike."""
        if self.is_alone:
            yield
            return
        with self.together(), self.strategy.scope():
            yield

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is done in this block, all processes do.

        Raises:
            TrainingError: one of them is gone, or does not go on.
        """
        if self.health is None:
            yield
            return
        with lost_worker_told(self.workers), self.health.waiting():
            yield

    def share(self, data: bytes) -> bytes:
        """What the leading worker gives here; the others wait for it, and what they give is nothing.

        Raises:
            TrainingError: a worker is lost.
        """
        if not self.workers:
            return data
        whole = _LENGTH.pack(len(data)) + data + bytes(len(data) % _WORD.itemsize)
        own = np.frombuffer(whole if self.leads else b"", _WORD)
        first = self._shared(own, 0, _FEW)
        (length,) = _LENGTH.unpack(first.tobytes()[: _LENGTH.size])
        words = -(-(_LENGTH.size + length) // _WORD.itemsize)
        received = [first, *(self._shared(own, start, _MANY) for start in range(_FEW, words, _MANY))]
        return np.concatenate(received).tobytes()[_LENGTH.size :][:length]

    def share_number(self, number: float) -> float:
        """``share`` of a number."""
        (shared,) = struct.unpack("<d", self.share(struct.pack("<d", number)))
        return float(shared)

    def require_same(self, fingerprint: str) -> None:
        """Make sure that all workers would train the same.

        Raises:
            TrainingError: at all of them, if the fingerprint of one differs from the leading worker's.
        """
        if not self.workers:
            return
        differs = self.share(fingerprint.encode()) != fingerprint.encode()
        votes = np.zeros(max(_FEW, len(self.workers)), np.float32)
        votes[self.index] = differs
        if others := [self.workers[place] for place in np.flatnonzero(self._summed(votes))]:
            raise TrainingError(
                f"{', '.join(others)} would train something else than {self.workers[0]}, which leads: data, "
                "settings, code and the versions of packages must be the same on all workers"
            )

    def _shared(self, own: npt.NDArray[np.uint16], start: int, count: int) -> npt.NDArray[np.uint16]:
        """Words of the leading worker; the others give zeros, so that sums are exact."""
        values = np.zeros(count, np.float32)
        part = own[start : start + count]
        values[: len(part)] = part
        return self._summed(values).astype(_WORD)

    def _summed(self, values: FloatArray) -> FloatArray:
        """The sum over the processes, float32 ``[count]``."""
        import tensorflow as tf

        with self.together():
            return np.asarray(self._sum(tf.constant(values)), np.float32)

    @cached_property
    def _sum(self) -> Any:
        """A graph that sums a vector over processes; float32, since not every way to sum on GPUs knows integers."""
        import tensorflow as tf

        def of_replica(values: Any) -> Any:
            context = tf.distribute.get_replica_context()
            is_first = tf.equal(context.replica_id_in_sync_group, self.replicas_here[0])
            return context.all_reduce(tf.distribute.ReduceOp.SUM, values * tf.cast(is_first, tf.float32))

        def of_process(values: Any) -> Any:
            return self.strategy.experimental_local_results(self.strategy.run(of_replica, args=(values,)))[0]

        return tf.function(of_process, autograph=False)


ALONE: Final = Team()
