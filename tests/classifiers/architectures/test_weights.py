"""Weights come only from the file that was named, whole, and only where they fit."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.architectures.made import (
    embeddings,
    fresh_trunk,
    patches,
    seeded_trunk,
    trained_looking_trunk,
)
from tidzam_platform.classifiers.architectures import (
    ARCHITECTURES,
    WeightsFile,
    build_trunk,
    load_weights,
    weight_arrays,
)
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.errors import TrainingError

SMALL = FrontEnd(window_s=0.5, hop_s=0.25, bands=32)
Layers = list[tuple[str, list[np.ndarray]]]
# Keras 3.15's own save and save_weights turn TensorFlow's variables into arrays the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def named(path: Path) -> WeightsFile:
    return WeightsFile(path, hashlib.sha256(path.read_bytes()).hexdigest())


def saved_npz(trunk: Any, path: Path) -> WeightsFile:
    np.savez(path, allow_pickle=False, **weight_arrays(trunk))
    return named(path)


def layers_of(model: Any) -> Layers:
    return [(layer.name, layer.get_weights()) for layer in model.layers if layer.weights]


def saved_as_keras_2_did(layers: Layers, path: Path) -> WeightsFile:
    """Weights alone in the layout of ``save_weights`` of Keras 1 and 2."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, arrays in layers:
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/variable_{i}:0".encode() for i in range(len(arrays))]
            for index, array in enumerate(arrays):
                group[f"{name}/variable_{index}:0"] = array
    return named(path)


def image_net() -> Any:
    """Keras's MobileNetV2 as its ImageNet files were saved from, with random weights."""
    model = load_keras().applications.MobileNetV2(
        input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=None
    )
    random = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([random.uniform(0.5, 1, value.shape) for value in layer.get_weights()])
    return model


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, "npz") for name in sorted(ARCHITECTURES)), ("compact", "weights.h5"), ("crnn", "weights.h5")],
)
def test_weights_that_were_kept_give_the_same_embeddings(name: str, kind: str, tmp_path: Path) -> None:
    trunk = trained_looking_trunk(name, SMALL)
    if kind == "npz":
        file = saved_npz(trunk, tmp_path / "trunk.npz")
    else:
        trunk.save_weights(tmp_path / "trunk.weights.h5")
        file = named(tmp_path / "trunk.weights.h5")
    load_keras().utils.set_random_seed(2)
    again = build_trunk(name, SMALL, weights=file)
    batch = patches(SMALL)
    np.testing.assert_allclose(embeddings(again, batch), embeddings(trunk, batch), atol=1e-6)
    assert np.abs(embeddings(fresh_trunk(name, SMALL), batch) - embeddings(trunk, batch)).max() > 1e-3


def test_mobilenet_takes_the_weights_of_keras_s_mobilenet(tmp_path: Path) -> None:
    model = image_net()
    model.save(tmp_path / "model.h5")
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.h5") as whole, h5py.File(tmp_path / "alone.h5", "w") as alone:
        for key in whole["model_weights"]:
            whole.copy(whole["model_weights"][key], alone, key)
        for key, value in whole["model_weights"].attrs.items():
            alone.attrs[key] = value
    # The names that layers had when the published files were saved, e.g. mobl1_conv_1_expand.
    old_names = [(f"mobl{index}_conv", arrays) for index, (_, arrays) in enumerate(layers_of(model))]
    saved_as_keras_2_did(old_names, tmp_path / "names_of_2018.h5")
    trunk = seeded_trunk("mobilenet", SMALL)
    for file in ("model.h5", "model.weights.h5", "alone.h5", "names_of_2018.h5"):
        trunk.set_weights([np.zeros_like(value) for value in trunk.get_weights()])
        load_weights(trunk, named(tmp_path / file))
        loaded = layers_of(trunk)
        assert len(loaded) == 104
        for (name, arrays), (kept_name, kept) in zip(loaded, layers_of(model), strict=True):
            assert name == kept_name
            assert all(np.array_equal(a, b) for a, b in zip(arrays, kept, strict=True)), (file, name)


def test_layers_beyond_the_trunk_are_left_alone(tmp_path: Path) -> None:
    trunk = seeded_trunk("sb_cnn", SMALL)
    arrays = {
        **weight_arrays(trunk),
        "logits/0": np.zeros((64, 3), np.float32),
        "logits/1": np.zeros(3, np.float32),
    }
    np.savez(tmp_path / "network.npz", **arrays)
    again = build_trunk("sb_cnn", SMALL, weights=named(tmp_path / "network.npz"))
    batch = patches(SMALL)
    np.testing.assert_array_equal(embeddings(again, batch), embeddings(trunk, batch))


def test_layer_names_that_fill_several_attributes_are_read(tmp_path: Path) -> None:
    trunk = seeded_trunk("sb_cnn", SMALL)
    saved_as_keras_2_did(layers_of(trunk), tmp_path / "trunk.h5")
    with h5py.File(tmp_path / "trunk.h5", "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:2], names[2:]
    again = build_trunk("sb_cnn", SMALL, weights=named(tmp_path / "trunk.h5"))
    np.testing.assert_array_equal(embeddings(again, patches(SMALL)), embeddings(trunk, patches(SMALL)))


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_a_shape_that_does_not_fit_is_named_with_its_layer_and_nothing_is_loaded(
    kind: str, tmp_path: Path
) -> None:
    other = seeded_trunk("sb_cnn", FrontEnd(window_s=0.5, hop_s=0.25, bands=64), seed=3)
    path = tmp_path / f"other.{kind}"
    file = saved_npz(other, path) if kind == "npz" else saved_as_keras_2_did(layers_of(other), path)
    trunk = seeded_trunk("sb_cnn", SMALL)
    before = weight_arrays(trunk)
    with pytest.raises(TrainingError, match="do not fit layer 'embedding'"):
        load_weights(trunk, file)
    after = weight_arrays(trunk)
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", ["resnet", "vggish"])
def test_weights_of_another_architecture_are_refused(name: str, tmp_path: Path) -> None:
    file = saved_as_keras_2_did(layers_of(build_trunk("sb_cnn", SMALL)), tmp_path / "sb_cnn.h5")
    with pytest.raises(TrainingError, match=r"have no layer '.*made for another architecture"):
        build_trunk(name, SMALL, weights=file)


def test_another_hash_is_refused_before_the_content_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "trunk.npz"
    path.write_bytes(b"not even an archive")
    with pytest.raises(TrainingError, match="have the SHA-256 "):
        build_trunk("sb_cnn", SMALL, weights=WeightsFile(path, "0" * 64))


def test_a_hash_may_be_written_in_capitals(tmp_path: Path) -> None:
    file = saved_npz(seeded_trunk("sb_cnn", SMALL), tmp_path / "trunk.npz")
    build_trunk("sb_cnn", SMALL, weights=WeightsFile(file.path, file.sha256.upper()))


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read: No such file"):
        build_trunk("sb_cnn", SMALL, weights=WeightsFile(tmp_path / "none.npz", "0" * 64))


class Mischief:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["trunk.pkl", "trunk.keras", "trunk.npz", "trunk.h5", "trunk", "array.npz"])
def test_pickles_are_refused_under_any_name(name: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / name
    if name == "array.npz":
        np.savez(path, **{"conv0/0": np.array([Mischief(trace)], dtype=object)})
    else:
        path.write_bytes(pickle.dumps(Mischief(trace)))
    says = (
        "only .npz, .weights.h5 and .h5 are read"
        if path.suffix not in {".npz", ".h5"}
        else "are damaged or hold"
    )
    with pytest.raises(TrainingError, match=says):
        build_trunk("sb_cnn", SMALL, weights=named(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("soft link", "missing or a link"),
        ("link to a file", "missing or a link"),
        ("data in a file", "no array of this file"),
        ("virtual", "no array of this file"),
        ("text", "not floating-point numbers"),
    ],
)
def test_hdf5_files_that_point_elsewhere_or_hold_no_numbers_are_refused(
    kind: str, says: str, tmp_path: Path
) -> None:
    trunk = seeded_trunk("sb_cnn", SMALL)
    layers = layers_of(trunk)
    saved_as_keras_2_did(layers, tmp_path / "elsewhere.h5")
    saved_as_keras_2_did(layers, tmp_path / "trunk.h5")
    place, bias = "conv0/conv0/variable_1:0", layers[0][1][1]
    with h5py.File(tmp_path / "trunk.h5", "r+") as file:
        del file[place]
        if kind == "soft link":
            file[place] = h5py.SoftLink("/conv1/conv1/variable_1:0")
        elif kind == "link to a file":
            file[place] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), place)
        elif kind == "data in a file":
            secret = tmp_path / "secret"
            secret.write_bytes(bias.tobytes())
            file.create_dataset(place, bias.shape, "<f4", external=[(str(secret), 0, bias.nbytes)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(bias.shape, "<f4")
            layout[:] = h5py.VirtualSource(tmp_path / "elsewhere.h5", place, bias.shape)
            file.create_virtual_dataset(place, layout)
        else:
            file[place] = np.array([b"text"] * len(bias))
    with pytest.raises(TrainingError, match=says):
        load_weights(trunk, named(tmp_path / "trunk.h5"))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_files_give_a_typed_error_or_load(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trunk = fresh_trunk("sb_cnn", FrontEnd(window_s=0.1, hop_s=0.1, bands=8))  # used by this test alone
    path = saved_npz(trunk, tmp_path_factory.mktemp("damaged") / "trunk.npz").path
    content = bytearray(path.read_bytes())
    for place in data.draw(
        st.lists(st.integers(-2048, 2047), min_size=1, max_size=20)
    ):  # at the start or the end
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    says = str(path)
    try:
        load_weights(trunk, named(path))
    except TrainingError as error:
        says = str(error)
    assert str(path) in says


@pytest.mark.parametrize("kind", ["npz", "h5", "weights.h5"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_is_cut_short_gives_a_typed_error(kind: str, share: float, tmp_path: Path) -> None:
    trunk = seeded_trunk("sb_cnn", FrontEnd(window_s=0.1, hop_s=0.1, bands=8))
    path = tmp_path / f"trunk.{kind}"
    if kind == "npz":
        saved_npz(trunk, path)
    elif kind == "h5":
        saved_as_keras_2_did(layers_of(trunk), path)
    else:
        trunk.save_weights(path)
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    with pytest.raises(TrainingError, match="are damaged or hold no weights of Keras"):
        load_weights(trunk, named(path))
