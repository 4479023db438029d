"""AudioSet's embeddings: TFRecord files of SequenceExamples, read as a tf.data pipeline."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.errors import DatasetError

AUDIOSET_CLASSES: Final = 527
EMBEDDING_WIDTH: Final = 128
MAX_FRAMES: Final = 10  # AudioSet's clips last 10 s, with one embedding a second
_LOWEST, _HIGHEST = -2.0, 2.0  # VGGish cuts its embedding to this range before it makes bytes of it
_FILES_AT_ONCE: Final = 4
_SHUFFLED: Final = 4096  # examples held for shuffling, about 5 MB


def read_examples(
    files: Sequence[Path], *, classes: int, batch_size: int, shuffle_seed: int | None = None
) -> Any:
    """Batches of examples; in the order of the files, or shuffled anew at each pass by a seed.

    Each record has ``video_id``, the int64 list ``labels`` and the feature list ``audio_embedding`` of 128 bytes each.
    Frames beyond ``MAX_FRAMES`` are left out.

    Returns:
        ``tf.data.Dataset`` of dicts: ``frames`` float32 ``[batch, 10, 128]`` in [-2, 2], ``mask`` bool ``[batch, 10]``
        (which frames there are), ``labels`` float32 ``[batch, classes]`` of 0 and 1, ``video_id`` string ``[batch]``.

    Raises:
        DatasetError: no file, or one is missing. What is wrong inside a file is said when it is read, see ``reading``.
    """
    tf = load_tensorflow()
    if not files:
        raise DatasetError("no TFRecord files; name at least one")
    for file in files:
        if not file.is_file():
            raise DatasetError(f"TFRecord file {file} does not exist")
    names = tf.data.Dataset.from_tensor_slices([str(file) for file in files])
    if shuffle_seed is not None:
        names = names.shuffle(len(files), seed=shuffle_seed)
    cycle = 1 if shuffle_seed is None else _FILES_AT_ONCE
    records = names.interleave(tf.data.TFRecordDataset, cycle_length=cycle)
    if shuffle_seed is not None:
        records = records.shuffle(_SHUFFLED, seed=shuffle_seed + 1)
    examples = records.map(
        lambda record: _parse(tf, record, classes), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return examples.batch(batch_size).prefetch(tf.data.AUTOTUNE)


@contextlib.contextmanager
def reading(files: Sequence[Path]) -> Iterator[None]:
    """Turn TensorFlow's errors about damaged or unfit records into DatasetError."""
    tf = load_tensorflow()
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        among = ", ".join(str(file) for file in files[:3]) + (", ..." if len(files) > 3 else "")
        raise DatasetError(f"a record of {among} cannot be read: {error.message}") from error


def _parse(tf: Any, record: Any, classes: int) -> dict[str, Any]:
    context, lists = tf.io.parse_single_sequence_example(
        record,
        context_features={
            "video_id": tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
        },
        sequence_features={"audio_embedding": tf.io.FixedLenSequenceFeature([], tf.string)},
    )
    labels, embeddings = tf.sparse.to_dense(context["labels"]), lists["audio_embedding"][:MAX_FRAMES]
    checks = [
        tf.debugging.assert_greater(tf.size(embeddings), 0, message="a clip has no embeddings"),
        tf.debugging.assert_equal(
            tf.strings.length(embeddings), EMBEDDING_WIDTH, message="an embedding has not 128 bytes"
        ),
        tf.debugging.assert_non_negative(labels, message="a label is negative"),
        tf.debugging.assert_less(
            labels,
            tf.constant(classes, tf.int64),
            message=f"a label is not below {classes}, the number of classes",
        ),
    ]
    with tf.control_dependencies(checks):
        there = tf.shape(embeddings)[0]
    frames = tf.reshape(tf.io.decode_raw(embeddings, tf.uint8), [there, EMBEDDING_WIDTH])
    padded = tf.pad(_dequantised(tf, frames), [[0, MAX_FRAMES - there], [0, 0]])
    return {
        "frames": tf.ensure_shape(padded, [MAX_FRAMES, EMBEDDING_WIDTH]),
        "mask": tf.range(MAX_FRAMES) < there,
        "labels": tf.reduce_max(tf.one_hot(tf.concat([labels, [-1]], 0), classes), axis=0),  # -1 is no class
        "video_id": context["video_id"],
    }


def _dequantised(tf: Any, frames: Any) -> Any:
    """The middle of each of the 256 steps, as YouTube-8M's readers take it."""
    step = (_HIGHEST - _LOWEST) / 255
    return tf.cast(frames, tf.float32) * step + (_LOWEST + step / 2)
