"""One event file of TensorBoard, written by its own record writer and messages, whatever backend Keras has."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_FILE_VERSION: Final = "brain.Event:2"
_HISTOGRAM_BUCKETS: Final = 30  # as TensorBoard's own
_PNG_SIZE: Final = slice(16, 24)  # width and height in the header, PNG 1.2, 11.2.2


class EventFile:
    """A file that records are appended to, each handed to the system before a call returns.

    No handle stays open between calls: a training that stops anywhere leaves none behind. All methods raise OSError
    if the disk does not take the record.
    """

    def __init__(self, folder: Path) -> None:
        """Begin a file in ``folder``, which is made if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads files whose names have ``tfevents``, in the order of their names. The process makes the
        # name another one after a resume: a TensorBoard that is open would go on in the file that was replaced.
        self.path: Final = folder / f"events.out.tfevents.{int(time.time()):010d}.{os.getpid()}"
        self._append(file_version=_FILE_VERSION)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each tag."""
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        self._append_values(step, [scalar_pb(tag, value).value[0] for tag, value in values.items()])

    def histogram(self, tag: str, values: npt.NDArray[Any]) -> None:
        """Counts of ``values`` of any shape in buckets of equal width; those that are not finite are left out."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.histogram.metadata import create_summary_metadata
        from tensorboard.util.tensor_util import make_tensor_proto

        counts, edges = np.histogram(values[np.isfinite(values)].astype(np.float64), _HISTOGRAM_BUCKETS)
        buckets = np.stack([edges[:-1], edges[1:], counts], axis=1)
        metadata = create_summary_metadata(display_name=None, description=None)
        value = Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(buckets, dtype=np.float64))
        self._append_values(0, [value])

    def image(self, tag: str, png: bytes, description: str = "") -> None:
        """A picture; ``description`` (Markdown) stands beside it."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.image.metadata import create_summary_metadata
        from tensorboard.util.tensor_util import make_tensor_proto

        size = [str(length).encode() for length in struct.unpack(">II", png[_PNG_SIZE])]
        metadata = create_summary_metadata(display_name=None, description=description)
        value = Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto([*size, png]))
        self._append_values(0, [value])

    def graph(self, graph: Any) -> None:
        """The graph of the run, a ``GraphDef``."""
        self._append(graph_def=graph.SerializeToString())

    def _append_values(self, step: int, values: Iterable[Any]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._append(step=step, summary=Summary(value=values))

    def _append(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        with self.path.open("ab") as handle:
            RecordWriter(handle).write(Event(wall_time=time.time(), **fields).SerializeToString())
