"""Mixed precision: layers compute in half precision while they learn, and nothing of it is left afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.evaluation import evaluate_tree
from tidzam_platform.classifiers.front_end import normalise
from tidzam_platform.classifiers.network import SHARED, build_network
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable, fit_tree
from tidzam_platform.classifiers.training.precision import computing_in, policy_of
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.settings import DecisionSettings, TrainingSettings
from tidzam_platform.store import LocalStore

Trained = tuple[TrainedTree, list[Epoch]]
TREE = by_parent(CLASSES)
IN_FLOAT32 = ("embedding", "head_")


def layers_of(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from layers_of(layer)


def test_layers_compute_in_half_precision_but_for_the_ends_and_the_policy_is_put_back() -> None:
    keras = load_keras()
    with computing_in("mixed_bfloat16"):
        network = build_network(TREE, TINY, "compact")
    kinds = {layer.name: layer.compute_dtype for layer in layers_of(network.model) if layer.weights}
    half = {name for name, kind in kinds.items() if kind == "bfloat16" and "functional" not in name}
    assert {"block0_conv", "block3_norm"} <= half
    assert not [name for name in half if name.startswith(IN_FLOAT32)]
    joined = network.model.get_layer("logits")
    assert joined.compute_dtype == "float32"
    assert {weight.dtype for weight in network.model.weights} == {"float32"}
    assert network.model.outputs[0].dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_trunks_are_given_what_float32_normalised() -> None:
    keras = load_keras()
    patches = np.random.default_rng(0).normal(-10, 3, (2, TINY.patch_frames, TINY.bands)).astype(np.float32)
    with computing_in("mixed_bfloat16"):
        network = build_network(TREE, TINY, "compact")
    (call,) = network.trunks[SHARED]._inbound_nodes[-1:]
    given = keras.Model(network.model.input, call.input_tensors[0])(patches)
    np.testing.assert_array_equal(given, normalise(patches, TINY))


@pytest.fixture(scope="module")
def trained() -> Callable[[str], Trained]:
    """Trees trained in a precision, once each."""
    return lru_cache(fit)


def fit(precision: str, **options: Any) -> Trained:
    settings = TrainingSettings(
        max_epochs=4,
        windows_per_epoch=256,
        batch_size=32,
        learning_rate=5e-3,
        refit=False,
        precision=precision,
    )
    return fit_tree(TREE, made_clips(), TINY, settings, DecisionSettings(), **options)


@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.long)]
)
def test_a_tree_learns_in_mixed_precision_and_is_a_float32_tree_afterwards(
    precision: str, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    tree, history = trained(precision)
    assert history[-1].train_loss < history[0].train_loss
    assert history != trained("float32")[1], "it was trained in float32"
    tested = [clip for clip in made_clips() if clip.side == "test"]
    assert evaluate_tree(tree, tested).macro_f1 > 0.9
    computing = {layer.compute_dtype for layer in layers_of(tree.trunks[SHARED].model)}
    assert computing == {"float32"}
    tree.save(LocalStore(tmp_path), "x")
    again = TrainedTree.load(LocalStore(tmp_path), "x")
    np.testing.assert_allclose(again.clip_scores(tested), tree.clip_scores(tested), atol=1e-6)
    answers = tree.serving_model()(np.zeros((1, TINY.window_frames), np.float32))
    assert {load_keras().backend.standardize_dtype(answer.dtype) for answer in answers.values()} == {
        "float32"
    }


@pytest.mark.long
def test_a_training_with_a_scaled_loss_that_was_killed_gives_the_same(
    trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    def killed(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise InterruptedError

    resumable = Resumable(tmp_path, "x")
    with pytest.raises(InterruptedError):
        fit("mixed_float16", on_epoch=killed, resumable=resumable)
    resumed, history = fit("mixed_float16", resumable=resumable)
    whole, whole_history = trained("mixed_float16")
    assert history == whole_history
    np.testing.assert_array_equal(resumed.clip_scores(made_clips()), whole.clip_scores(made_clips()))


def test_mixed_is_bfloat16_without_a_gpu_and_a_named_precision_is_taken_as_it_is() -> None:
    assert policy_of("mixed") == "mixed_bfloat16"
    for name in ("float32", "mixed_bfloat16", "mixed_float16"):
        assert policy_of(name) == name
