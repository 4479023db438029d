"""Embeddings of test clips for TensorBoard's projector, which shows them as points coloured by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.features import ClipFeatures

MAX_POINTS: Final = 5_000  # what a browser turns around without delay
METADATA_FILE: Final = "metadata.tsv"
_COLUMNS: Final = ("class", "clip", "side")


def write_projector(
    folder: Path, clips: Sequence[ClipFeatures], embeddings: Mapping[str, npt.NDArray[np.float64]]
) -> None:
    """Write a table of points for each trunk, one table that says what each point is, and what belongs together.

    With more than ``MAX_POINTS`` clips so many are taken at even distances.

    Args:
        folder: of the run.
        clips: at least one.
        embeddings: by trunk, ``[clips, d]``.

    Raises:
        OSError: the disk does not take it.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector.metadata import PROJECTOR_FILENAME
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    places = np.linspace(0, len(clips) - 1, min(len(clips), MAX_POINTS)).round().astype(int)
    shown = [clips[place] for place in places]
    lines = [_COLUMNS, *((", ".join(clip.class_paths), clip.sha256, clip.side) for clip in shown)]
    (folder / METADATA_FILE).write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    config = ProjectorConfig()
    for name, points in embeddings.items():
        file = folder / f"embedding_{name}.tsv"
        np.savetxt(file, points[places], fmt="%.6g", delimiter="\t", encoding="utf-8")
        config.embeddings.add(
            tensor_name=f"trunk_{name}",
            tensor_path=file.name,
            metadata_path=METADATA_FILE,
            tensor_shape=(len(shown), points.shape[1]),
        )
    # Last: what it names is there.
    (folder / PROJECTOR_FILENAME).write_text(text_format.MessageToString(config), encoding="utf-8")
