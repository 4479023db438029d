"""Event files as TensorBoard itself reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

Points = list[tuple[int, float]]


def stored(value: float) -> float:
    """A number as TensorBoard keeps it, in single precision."""
    return float(np.float32(value))


def events_of(run: Path) -> Any:
    """All that a run holds; nothing is sampled, and points that come twice are seen twice."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run), size_guidance={"tensors": 0}, purge_orphaned_data=False)
    events.Reload()
    return events


def tags_of(events: Any, plugin: str) -> list[str]:
    """Tags that a plugin shows."""
    return sorted(events.PluginTagToContent(plugin))


def arrays(events: Any, tag: str) -> list[tuple[int, Any]]:
    """Step and array of each point of a tag."""
    from tensorboard.util.tensor_util import make_ndarray

    return [(event.step, make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]


def scalars(run: Path) -> dict[str, Points]:
    """Step and value of each point, by tag."""
    events = events_of(run)
    return {
        tag: [(step, float(value)) for step, value in arrays(events, tag)]
        for tag in tags_of(events, "scalars")
    }


def picture(events: Any, tag: str) -> np.ndarray[Any, Any]:
    """The only picture of a tag, ``[height, width, colours]``, whose size is what the event says."""
    from matplotlib.image import imread

    [(_, (width, height, png))] = arrays(events, tag)
    pixels = np.asarray(imread(io.BytesIO(png), format="png"))
    assert pixels.shape[:2] == (int(height), int(width))
    return pixels
