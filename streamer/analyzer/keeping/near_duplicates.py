"""Sounds like those that were kept just now, by the distance of their embeddings."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray

PER_CLASS: Final = 32  # of a channel and class, the newest
MAX_BYTES: Final = 16 << 20  # of all


class NearDuplicates:
    """Remembers embeddings of kept sounds by channel and class, in bounded memory. For one thread.

    Embeddings of different generations have nothing to do with each other, nor have those of different lengths: another
    server numbers its generations anew. Nothing is remembered across a restart.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._known: OrderedDict[tuple[str, str, int, int], list[NDArray[np.float32]]] = OrderedDict()

    def distance(
        self, channel: str, class_path: str, generation: int, embedding: NDArray[np.float32]
    ) -> float:
        """Least cosine distance to a kept sound, 0 to 2; infinite where there is none."""
        kept = self._known.get((channel, class_path, generation, len(embedding)))
        if not kept:
            return float("inf")
        return float(1.0 - (np.stack(kept) @ _direction(embedding)).max())

    def remember(
        self, channel: str, class_path: str, generation: int, embedding: NDArray[np.float32]
    ) -> None:
        """A sound is kept."""
        key = (channel, class_path, generation, len(embedding))
        kept = self._known.setdefault(key, [])
        self._known.move_to_end(key)
        direction = _direction(embedding)
        kept.append(direction)
        self._bytes += direction.nbytes
        if len(kept) > PER_CLASS:
            self._bytes -= kept.pop(0).nbytes
        while self._bytes > self._max_bytes and len(self._known) > 1:
            _, forgotten = self._known.popitem(last=False)
            self._bytes -= sum(one.nbytes for one in forgotten)

    @property
    def memory_bytes(self) -> int:
        """Of what is remembered."""
        return self._bytes


def _direction(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """The embedding at length 1, a copy; one of zeros stays so, far from everything."""
    length = float(np.linalg.norm(embedding))
    return np.array(embedding / length if length > 0 else embedding, np.float32)
