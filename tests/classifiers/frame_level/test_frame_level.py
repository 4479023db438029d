"""Frame-level models: AudioSet's files are read as they are, and each model learns classes that can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidzam_platform.classifiers.backend import load_keras, load_tensorflow
from tidzam_platform.classifiers.frame_level import (
    MODELS,
    FrameLevelSettings,
    build_frame_level,
    hit_at_1,
    mean_average_precision,
    read_examples,
    train_frame_level,
)
from tidzam_platform.errors import DatasetError, TrainingError

CLASSES = 6
Clip = tuple[str, list[int], np.ndarray]  # video id, labels, frames uint8 [frames, 128]


def write(path: Path, clips: list[Clip]) -> Path:
    tf = load_tensorflow()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for video_id, labels, frames in clips:
            example = tf.train.SequenceExample()
            example.context.feature["video_id"].bytes_list.value.append(video_id.encode())
            example.context.feature["labels"].int64_list.value.extend(labels)
            example.context.feature["start_time_seconds"].float_list.value.append(30.0)
            embeddings = example.feature_lists.feature_list["audio_embedding"]
            for frame in frames:
                embeddings.feature.add().bytes_list.value.append(frame.tobytes())
            writer.write(example.SerializeToString())
    return path


def clips(count: int, seed: int) -> list[Clip]:
    """Clips of 4 to 10 frames; half of the frames are of the clip's class, or of its two classes, the others noise."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).integers(60, 196, (CLASSES, 128))
    made = []
    for index in range(count):
        labels = [index % CLASSES] + ([(index + 1) % CLASSES] if index % 5 == 0 else [])
        frames = random.integers(108, 148, (random.integers(4, 11), 128))
        for place in range(0, len(frames), 2):
            frames[place] = centres[labels[place // 2 % len(labels)]] + random.integers(-40, 40, 128)
        made.append((f"clip{index}", labels, frames.clip(0, 255).astype(np.uint8)))
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    folder = tmp_path_factory.mktemp("records")
    train = [write(folder / f"train{index}.tfrecord", clips(120, seed=index)) for index in range(4)]
    return train, [write(folder / "eval.tfrecord", clips(120, seed=9))]


@pytest.mark.parametrize(
    "model",
    [pytest.param(name, marks=[pytest.mark.long] if name == "lstm" else []) for name in sorted(MODELS)],
)
def test_each_model_learns_classes_that_can_be_told_apart(
    model: str, files: tuple[list[Path], list[Path]]
) -> None:
    told: list[int] = []
    result = train_frame_level(
        *files,
        model=model,
        classes=CLASSES,
        settings=FrameLevelSettings(epochs=8, batch_size=32, learning_rate=5e-3),
        on_epoch=lambda number, _loss: told.append(number),
    )
    assert told == list(range(1, 9))
    assert result.train_losses[-1] < 0.5 * result.train_losses[0]
    assert result.hit_at_1 > 0.9  # chance is 0.2
    assert result.mean_average_precision > 0.8


def test_the_same_seed_gives_the_same_model(files: tuple[list[Path], list[Path]]) -> None:
    settings = FrameLevelSettings(epochs=1, batch_size=32, seed=3)
    first, second = (train_frame_level(*files, classes=CLASSES, settings=settings) for _ in range(2))
    for ours, theirs in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_what_lies_beyond_the_last_frame_does_not_count(model: str) -> None:
    load_keras().utils.set_random_seed(1)
    network = build_frame_level(model, CLASSES)
    frames = np.random.default_rng(0).normal(size=(2, 10, 128)).astype(np.float32)
    mask = np.arange(10) < np.array([[4], [10]])
    changed = np.where(mask[..., np.newaxis], frames, 1.5).astype(np.float32)
    before, after = (np.asarray(network({"frames": x, "mask": mask})) for x in (frames, changed))
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert 0 < before.min() <= before.max() < 1
    shorter = np.asarray(network({"frames": frames, "mask": mask & (np.arange(10) < 3)}))
    assert np.abs(shorter - before).max() > 1e-4


def test_records_are_read_as_audioset_writes_them(tmp_path: Path) -> None:
    steps = np.arange(128, dtype=np.uint8)
    path = write(
        tmp_path / "some.tfrecord",
        [
            ("short", [5, 0, 5], np.stack([steps, steps + 128])),
            ("long", [], np.tile(steps, (12, 1))),
        ],
    )
    (batch,) = read_examples([path], classes=CLASSES, batch_size=8).as_numpy_iterator()
    assert batch["frames"].shape == (2, 10, 128)
    assert batch["frames"].dtype == np.float32
    values = np.concatenate([batch["frames"][0, 0], batch["frames"][0, 1]])
    np.testing.assert_allclose(values, -2 + (np.arange(256) + 0.5) * 4 / 255, atol=1e-6)
    np.testing.assert_array_equal(batch["mask"].sum(axis=1), [2, 10])
    assert not batch["frames"][0, 2:].any()
    np.testing.assert_array_equal(batch["labels"], [[1, 0, 0, 0, 0, 1], [0] * 6])
    assert batch["video_id"].tolist() == [b"short", b"long"]


def test_a_pass_sees_every_clip_once_in_another_order(files: tuple[list[Path], list[Path]]) -> None:
    examples = read_examples(files[0], classes=CLASSES, batch_size=50, shuffle_seed=1)
    passes = [np.concatenate([batch["frames"] for batch in examples.as_numpy_iterator()]) for _ in range(2)]
    first, second = (seen.reshape(len(seen), -1) for seen in passes)
    assert len(first) == len(second) == 480
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first[np.lexsort(first.T)], second[np.lexsort(second.T)])


@pytest.mark.parametrize(
    ("clip", "says"),
    [
        (("a", [CLASSES], np.zeros((2, 128), np.uint8)), "a label is not below 6"),
        (("a", [-1], np.zeros((2, 128), np.uint8)), "a label is negative"),
        (("a", [1], np.zeros((2, 64), np.uint8)), "an embedding has not 128 bytes"),
        (("a", [1], np.zeros((0, 128), np.uint8)), "a clip has no embeddings"),
    ],
)
def test_records_of_another_layout_are_refused(clip: Clip, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "odd.tfrecord", [clip])
    with pytest.raises(DatasetError, match=rf"(?s)odd\.tfrecord cannot be read: .*{says}"):
        train_frame_level([path], [path], classes=CLASSES)


def test_damaged_missing_and_empty_files_are_said_so(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tfrecord"
    damaged.write_bytes(b"this is no record, but it is long enough to be taken for one")
    with pytest.raises(DatasetError, match=r"damaged\.tfrecord cannot be read"):
        train_frame_level([damaged], [damaged], classes=CLASSES)
    with pytest.raises(DatasetError, match=r"none\.tfrecord does not exist"):
        train_frame_level([tmp_path / "none.tfrecord"], [damaged], classes=CLASSES)
    with pytest.raises(DatasetError, match="no TFRecord files"):
        train_frame_level([], [damaged], classes=CLASSES)
    empty = write(tmp_path / "empty.tfrecord", [])
    full = write(tmp_path / "full.tfrecord", clips(4, seed=1))
    with pytest.raises(DatasetError, match=r"empty\.tfrecord and the other training files hold no clips"):
        train_frame_level([empty], [full], classes=CLASSES)
    with pytest.raises(TrainingError, match="no clip of the evaluation files has a label"):
        train_frame_level([full], [empty], classes=CLASSES, settings=FrameLevelSettings(epochs=1))


def test_an_unknown_model_names_those_there_are() -> None:
    with pytest.raises(TrainingError, match="no frame-level model 'gru'; there are: dbof, logistic, lstm"):
        build_frame_level("gru", CLASSES)


def test_figures_of_a_known_case() -> None:
    scores = np.array([[0.9, 0.1, 0.2], [0.2, 0.8, 0.1], [0.7, 0.6, 0.0], [0.5, 0.4, 0.9]])
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert hit_at_1(scores, labels) == pytest.approx(2 / 3)  # the last clip has no class
    assert mean_average_precision(scores, labels) == pytest.approx(1.0)  # class 2 does not occur
    worse = scores[:, [1, 0, 2]]
    assert mean_average_precision(worse, labels) == pytest.approx((1 / 4 + (1 / 2 + 2 / 4) / 2) / 2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_figures_lie_between_0_and_1_and_are_1_for_the_truth(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random((12, 4)) < 0.4).astype(float)
    labels[0, 0] = 1
    assert hit_at_1(labels, labels) == mean_average_precision(labels, labels) == 1
    scores = random.random((12, 4))
    assert 0 <= hit_at_1(scores, labels) <= 1
    assert 0 < mean_average_precision(scores, labels) <= 1
