"""Feature maps: what each convolution of a trunk makes of one clip a class, as grids of pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.front_end import normalise
from tidzam_platform.classifiers.network import trunk_of
from tidzam_platform.classifiers.trained_tree import TrainedTree

_MAX_CLASSES: Final = 8
_MAX_LAYERS: Final = 6
_MAX_CHANNELS: Final = 64
_MIN_PIXELS: Final = 48  # of a channel's shorter side
_GAP_PIXELS: Final = 2

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FeatureMap:
    """A picture as PNG, its tag, and words on it."""

    tag: str
    png: bytes
    description: str


def feature_maps(tree: TrainedTree, clips: Sequence[ClipFeatures]) -> Iterator[FeatureMap]:
    """Log-mel and convolutions of the loudest window of one clip a class, the classes spread evenly.

    Each clip is seen through the trunk that tells its class apart. Of a deep trunk some convolutions are shown, of a
    wide one its first channels.

    Args:
        tree: trained.
        clips: to choose from, by their order.
    """
    patches: dict[str, dict[str, Image]] = {}  # by trunk, by class
    leaves = set(tree.spec.leaves)
    shown = {
        node: clip
        for clip in reversed(clips)
        for path in clip.class_paths
        if (node := tree.spec.covers(path)) in leaves
    }
    for leaf in _spread(sorted(shown), _MAX_CLASSES):
        trunk = trunk_of(tree.spec.expert_of(leaf))
        patches.setdefault(trunk, {})[leaf] = _loudest_window(shown[leaf], tree.front_end.patch_frames)
    for trunk, by_class in patches.items():
        windows = np.stack(list(by_class.values()))
        seen = load_keras().ops.convert_to_numpy(normalise(windows, tree.front_end))
        activations = _activations(tree.trunks[trunk].model, np.asarray(seen, np.float32))
        for row, leaf in enumerate(by_class):
            words = f"clip {shown[leaf].sha256} through trunk {trunk}"
            yield FeatureMap(f"feature_maps/{leaf}/00_log_mel", _png(windows[row, ..., np.newaxis]), words)
            for place, (layer, maps) in enumerate(activations, start=1):
                yield FeatureMap(f"feature_maps/{leaf}/{place:02d}_{layer}", _png(maps[row]), words)


def _activations(trunk: Any, patches: Image) -> list[tuple[str, Image]]:
    """Name and output, float32 ``[patches, frames, bands, channels]``, of some convolutions of a trunk."""
    keras = load_keras()
    layers = keras.layers
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    chosen = _spread([layer for layer in trunk.layers if isinstance(layer, kinds)], _MAX_LAYERS)
    if not chosen:
        return []
    seeing = keras.Model(trunk.input, {layer.name: layer.output for layer in chosen})
    answers = seeing(patches, training=False)  # a few windows are not worth a compiled graph
    to_numpy = keras.ops.convert_to_numpy
    return [(layer.name, np.asarray(to_numpy(answers[layer.name]), np.float32)) for layer in chosen]


def _loudest_window(clip: ClipFeatures, length: int) -> Image:
    windows = [clip.log_mel[offset : offset + length] for offset in clip.offsets]
    return max(windows, key=lambda window: float(window.mean()))


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many, from the first to the last at even distances."""
    if len(items) <= most:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _png(maps: Image) -> bytes:
    """A grid of ``[frames, bands, channels]``: time to the right, frequency up, each channel on a scale of its own."""
    from matplotlib.image import imsave

    channels = maps[..., :_MAX_CHANNELS].transpose(2, 1, 0)[:, ::-1]
    factor = max(1, math.ceil(_MIN_PIXELS / min(channels.shape[1:])))
    tiles = [_tile(one, factor) for one in channels]
    height, width = tiles[0].shape
    columns = max(1, round(math.sqrt(len(tiles) * height / width)))  # about a square
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    buffer = io.BytesIO()
    imsave(buffer, np.concatenate(rows), format="png", cmap="magma", vmin=0, vmax=1)
    return buffer.getvalue()


def _tile(one: Image, factor: int) -> Image:
    """A channel on a scale from 0 to 1, enlarged, with a gap to the right and below."""
    finite = np.nan_to_num(one, posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    scaled = (finite - low) / (high - low) if high > low else np.zeros_like(finite)
    enlarged = scaled.repeat(factor, axis=0).repeat(factor, axis=1)
    return np.pad(enlarged, ((0, _GAP_PIXELS), (0, _GAP_PIXELS)))
