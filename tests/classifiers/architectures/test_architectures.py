"""Every architecture fits every front end, learns, and can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from tests.classifiers.architectures.made import embeddings, fresh_trunk, patches, seeded_trunk
from tidzam_platform.classifiers.architectures import ARCHITECTURES, build_trunk, weight_arrays
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import PRESETS, FrontEnd
from tidzam_platform.errors import TrainingError

every_architecture = pytest.mark.parametrize("name", sorted(ARCHITECTURES))
SMALL = FrontEnd(window_s=0.5, hop_s=0.25, bands=32)
WIDTHS = {"mobilenet": 1280, "sb_cnn": 64, "vggish": 128}  # those that the papers fix


@every_architecture
@pytest.mark.parametrize("front_end", [*PRESETS.values(), SMALL], ids=[*PRESETS, "small"])
def test_it_builds_for_the_front_end_and_gives_finite_embeddings(name: str, front_end: FrontEnd) -> None:
    trunk = fresh_trunk(name, front_end)
    assert trunk.input.name == "patches"
    assert trunk.input.shape == (None, front_end.patch_frames, front_end.bands)
    silence = np.zeros((1, front_end.patch_frames, front_end.bands), np.float32)
    made = embeddings(trunk, np.concatenate([patches(front_end, 2), silence]))
    assert made.shape == (3, *trunk.output.shape[1:])
    assert made.shape[1:] == (WIDTHS.get(name, made.shape[1]),)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert np.abs(made[0] - made[1]).max() > 0


@pytest.mark.parametrize(
    "name", sorted(ARCHITECTURES.keys() - {"mobilenet"})
)  # Keras's own, and slow to compile
def test_a_step_down_the_gradient_lowers_the_loss_on_two_easy_classes(name: str) -> None:
    keras = load_keras()
    trunk = seeded_trunk(name, SMALL)
    for layer in trunk.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # so that the loss before and after differ by the step alone
    batch, labels = patches(SMALL, 16), np.arange(16) % 2
    batch[labels == 1, :, :16] += 2  # louder in the low bands
    model = keras.Sequential([trunk, keras.layers.Dense(2)])
    model.compile(
        optimizer=keras.optimizers.SGD(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    before, after = (float(model.train_on_batch(batch, labels)) for _ in range(2))
    assert after < before


@every_architecture
def test_the_same_seed_gives_the_same_weights_under_the_same_names(name: str) -> None:
    first = weight_arrays(fresh_trunk(name, SMALL))
    again = weight_arrays(seeded_trunk(name, SMALL))
    assert first.keys() == again.keys()  # whatever was built before
    assert all(np.array_equal(first[key], again[key]) for key in first)


@every_architecture
def test_embeddings_are_float32_where_layers_compute_in_half_precision(name: str) -> None:
    keras = load_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trunk = build_trunk(name, SMALL)
    finally:
        keras.config.set_dtype_policy(before)
    assert trunk.output.dtype == "float32"
    assert any(layer.compute_dtype == "float16" for layer in trunk.layers)


def test_a_trunk_does_not_normalise() -> None:
    batch = patches(SMALL)
    trunk = fresh_trunk("compact", SMALL)
    assert np.abs(embeddings(trunk, batch) - embeddings(trunk, batch + 3)).max() > 1e-3


def test_one_model_may_hold_two_trunks_of_an_architecture() -> None:
    keras = load_keras()
    entry = keras.Input((SMALL.patch_frames, SMALL.bands))
    model = keras.Model(entry, [build_trunk("compact", SMALL)(entry) for _ in range(2)])
    first, second = model(patches(SMALL))
    assert np.abs(np.asarray(first) - np.asarray(second)).max() > 0


def test_none_is_large() -> None:
    assert max(fresh_trunk(name, FrontEnd()).count_params() for name in ARCHITECTURES) < 1_500_000


def test_an_unknown_architecture_names_those_there_are() -> None:
    there_are = ", ".join(sorted(ARCHITECTURES))
    with pytest.raises(TrainingError, match=f"no architecture 'alexnet'; there are: {there_are}"):
        build_trunk("alexnet", SMALL)
