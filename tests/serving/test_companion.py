"""The LiteRT companion: the answers of the model that it stands for, with windows that overlap, jump or stand alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serving import companion
from serving.companion import BATCH, Companion, write_companion
from tests.classifiers.training.conftest import CLASSES, TINY
from tidzam_platform.audio import Window
from tidzam_platform.classifiers.network import build_network
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.errors import ModelRepositoryError

SPEC = by_parent(CLASSES)
HOP = TINY.hop_frames


@pytest.fixture(scope="module")
def tree() -> TrainedTree:
    return TrainedTree.of_network(SPEC, TINY, build_network(SPEC, TINY, "compact"), "compact")


@pytest.fixture(scope="module")
def folder(tree: TrainedTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("version")
    write_companion(tree.hearing, TINY, made)
    return made


def windows_at(starts: list[int], channels: int) -> list[Window]:
    random = np.random.default_rng(5)
    signal = (random.standard_normal((channels, max(starts) + TINY.window_frames)) * 0.1).astype(np.float32)
    return [Window(start, signal[:, start : start + TINY.window_frames]) for start in starts]


@pytest.mark.parametrize(
    "starts",
    [
        [0],
        [0, HOP, 2 * HOP, 3 * HOP],
        [0, HOP, 7 * HOP, 8 * HOP],  # a hole
        [0, TINY.window_frames, 3 * TINY.window_frames],  # touching, then apart
        [0, HOP + 1, 2 * HOP + 1],  # off the STFT's grid
        [number * HOP for number in range(BATCH + 3)],
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_it_answers_as_the_model(tree: TrainedTree, folder: Path, starts: list[int], channels: int) -> None:
    windows = windows_at(starts, channels)
    audio = np.concatenate([window.samples for window in windows])
    expected = {
        name: np.asarray(value) for name, value in tree.serving_model()(audio, training=False).items()
    }
    heard = Companion(folder, len(SPEC.nodes), 3).predict_windows(windows)
    np.testing.assert_allclose(heard.scores, expected["scores"], atol=1e-4)
    np.testing.assert_allclose(heard.embedding, expected["embedding"], atol=1e-3)
    np.testing.assert_allclose(heard.level_dbfs, expected["level_dbfs"], atol=1e-3)
    assert heard.generation == 3


def test_one_that_an_earlier_version_exported_has_another_batch(
    tree: TrainedTree, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion, "BATCH", 2 * BATCH)
    write_companion(tree.hearing, TINY, tmp_path)
    earlier, now = (Companion(one, len(SPEC.nodes), 3) for one in (tmp_path, folder))
    assert (earlier.batch, now.batch) == (2 * BATCH, BATCH)
    windows = windows_at([number * HOP for number in range(2 * BATCH + 3)], 1)
    assert np.array_equal(earlier.predict_windows(windows).scores, now.predict_windows(windows).scores)


def test_what_its_runtime_says_of_itself_is_for_nobody(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Companion(folder, len(SPEC.nodes), 3).predict_windows(windows_at([0], 1))
    assert capfd.readouterr().err == ""


def test_a_damaged_graph_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(b"no graph" if path.suffix == ".tflite" else path.read_bytes())
    with pytest.raises(ModelRepositoryError, match="cannot be loaded"):
        Companion(tmp_path, len(SPEC.nodes), 1)


def test_a_version_without_one_has_none(tmp_path: Path) -> None:
    assert not Companion.exists(tmp_path)
