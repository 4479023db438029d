"""What a served model is: its name, its signatures and the description that it gives of itself.

``serving_default`` takes ``audio`` (float32 ``[batch, samples]`` at the model's own rate) and answers
``scores`` (float32 ``[batch, classes]``), ``embedding`` (float32 ``[batch, d]``) and ``level_dbfs`` (float32
``[batch]``). ``describe`` takes ``request`` (int32 ``[rows]``, any value) and answers ``json``, the text of a
ModelDescription, so that a client needs nothing but the server.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, get_args

from tidzam_platform.classifiers.tree.activation import Labels
from tidzam_platform.errors import InvalidNameError, ModelRepositoryError
from tidzam_platform.labels.class_paths import valid_class_path

MODEL_NAME: Final = "tidzam"
# Labels of versions: what microphones hear by, and what is tried beside it.
STABLE: Final = "stable"
CANARY: Final = "canary"

PREDICT_SIGNATURE: Final = "serving_default"
AUDIO_INPUT: Final = "audio"
SCORES_OUTPUT: Final = "scores"
EMBEDDING_OUTPUT: Final = "embedding"
LEVEL_OUTPUT: Final = "level_dbfs"
PREDICT_OUTPUTS: Final = (SCORES_OUTPUT, EMBEDDING_OUTPUT, LEVEL_OUTPUT)

DESCRIBE_SIGNATURE: Final = "describe"
REQUEST_INPUT: Final = "request"
JSON_OUTPUT: Final = "json"
# The same text as a file of the version, for those who need no TensorFlow otherwise.
DESCRIPTION_PATH: Final = Path("assets.extra") / "description.json"


@dataclass(frozen=True)
class ClassDescription:
    """One class of the tree, in the place that its score has in ``scores``.

    ``parent`` is the path of the class one level up (None at the top); ``threshold`` in [0, 1] is the least
    score that counts as heard.
    """

    path: str
    parent: str | None
    threshold: float


@dataclass(frozen=True)
class ModelDescription:
    """What a model says of itself; the order of ``classes`` is that of its scores.

    ``labels`` is ``single`` if one class sounds at a time, ``multi`` if any number may.

    Raises:
        ModelRepositoryError: the values make no sense, e.g. a class whose parent is not among the classes.
    """

    classes: tuple[ClassDescription, ...]
    rate_hz: int
    window_s: float
    hop_s: float
    generation: int
    dataset_version: str
    labels: Labels = "single"

    def __post_init__(self) -> None:
        if not self.classes:
            raise ModelRepositoryError("a model description without classes")
        paths = {item.path for item in self.classes}
        if len(paths) < len(self.classes):
            raise ModelRepositoryError("a model description that names a class twice")
        for item in self.classes:
            try:
                valid_class_path(item.path)
            except InvalidNameError as error:
                raise ModelRepositoryError(f"a model description with a wrong class: {error}") from error
            if item.parent is not None and (item.parent not in paths or item.parent == item.path):
                raise ModelRepositoryError(
                    f"class {item.path!r} has the parent {item.parent!r}, which is no class"
                )
            if not 0 <= item.threshold <= 1:
                raise ModelRepositoryError(
                    f"class {item.path!r} has the threshold {item.threshold}, not in [0, 1]"
                )
        for name, frames in (
            ("window_s", self.window_s * self.rate_hz),
            ("hop_s", self.hop_s * self.rate_hz),
        ):
            if not (math.isfinite(frames) and round(frames) >= 1):
                raise ModelRepositoryError(f"{name} at {self.rate_hz} Hz is {frames} frames")
        if self.labels not in get_args(Labels):
            raise ModelRepositoryError(f"labels are {' or '.join(get_args(Labels))}, not {self.labels!r}")
        if self.generation < 1:
            raise ModelRepositoryError(f"generations count from 1, not {self.generation}")

    @property
    def window_frames(self) -> int:
        """Samples of one window, the width of ``audio``."""
        return round(self.window_s * self.rate_hz)

    @property
    def hop_frames(self) -> int:
        """Samples from the start of one window to the start of the next."""
        return round(self.hop_s * self.rate_hz)

    def to_json(self) -> str:
        """One line of JSON that ``from_json`` reads back."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelDescription:
        """Read what ``to_json`` wrote; keys that we do not know are for later readers and are passed over.

        Raises:
            ModelRepositoryError: it is no JSON, a key is missing, or a value makes no sense.
        """
        try:
            values = json.loads(text)
            return cls(
                classes=tuple(_class_description(item) for item in _typed(values, "classes", list)),
                rate_hz=_typed(values, "rate_hz", int),
                window_s=float(_typed(values, "window_s", (int, float))),
                hop_s=float(_typed(values, "hop_s", (int, float))),
                generation=_typed(values, "generation", int),
                dataset_version=_typed(values, "dataset_version", str),
                labels=_typed({"labels": "single", **values}, "labels", str),  # older models have no such key
            )
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise ModelRepositoryError(f"no model description: {error or type(error).__name__}") from error


def _class_description(item: Any) -> ClassDescription:
    return ClassDescription(
        path=_typed(item, "path", str),
        parent=_typed(item, "parent", (str, type(None))),
        threshold=float(_typed(item, "threshold", (int, float))),
    )


def _typed(values: Any, key: str, kind: type | tuple[type, ...]) -> Any:
    """``values[key]`` if it is of that kind; bool is no number here, although Python says so."""
    value = values[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{key} is {value!r}")
    return value
