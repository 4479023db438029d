"""The run ``result``: TensorBoard reads from it what the training came to."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.classifiers.tensorboard.log_here import Logged
from tests.classifiers.tensorboard.reading import arrays, events_of, picture, scalars, stored, tags_of
from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.evaluation import evaluate_tree
from tidzam_platform.classifiers.evaluation.calibration_figures import expected_calibration_error
from tidzam_platform.classifiers.features import ClipFeatures, mean_by_clip, patches_on_grid
from tidzam_platform.classifiers.network import SHARED, build_network
from tidzam_platform.classifiers.prediction import predict
from tidzam_platform.classifiers.tensorboard import projector
from tidzam_platform.classifiers.tensorboard.event_file import EventFile
from tidzam_platform.classifiers.tensorboard.result import write_result
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.classifiers.tree.spec import TreeSpec

CONVOLUTIONS = 4  # of the compact trunk


@pytest.fixture(scope="module")
def result(logged: Logged) -> Any:
    """The events of the run."""
    return events_of(logged.folder / "result")


def test_figures_are_those_of_the_evaluation(logged: Logged) -> None:
    points = {tag: value for tag, [(_, value)] in scalars(logged.folder / "result").items()}
    spec = logged.tree.spec
    scores = logged.tree.clip_scores(logged.clips)[:, [spec.nodes.index(leaf) for leaf in spec.leaves]]
    right = np.array(
        [
            spec.leaves[best] in clip.class_paths
            for best, clip in zip(scores.argmax(axis=1), logged.clips, strict=True)
        ]
    )
    evaluation = logged.evaluation
    assert points == pytest.approx(
        {
            "macro_f1": evaluation.macro_f1,
            "accuracy": evaluation.accuracy,
            "ece": expected_calibration_error(scores.max(axis=1), right),
            **{f"f1/{name}": evaluation.per_class[name].f1 for name in CLASSES},
        },
        abs=1e-6,
    )
    assert right.mean() == pytest.approx(evaluation.accuracy)


def test_matrices_and_feature_maps_are_pictures(logged: Logged, result: Any) -> None:
    layers = ["00_log_mel", *(f"{place + 1:02d}_block{place}_conv" for place in range(CONVOLUTIONS))]
    maps = [f"feature_maps/{name}/{layer}" for name in CLASSES for layer in layers]
    assert tags_of(result, "images") == sorted(["confusion_matrix", "reliability_diagram", *maps])
    for tag in tags_of(result, "images"):
        pixels = picture(result, tag)
        assert pixels[..., :3].std() > 0.01, f"{tag} shows nothing"


def test_the_loud_band_of_a_class_is_where_it_should_be_in_its_picture(result: Any) -> None:
    brightness = picture(result, f"feature_maps/{CLASSES[0]}/00_log_mel")[..., :3].sum(axis=(1, 2))
    rows = len(brightness) // TINY.bands
    by_band = brightness[: rows * TINY.bands].reshape(TINY.bands, rows).sum(axis=1)[::-1]  # low bands first
    assert set(np.argsort(by_band)[-3:]) == {0, 1, 2}


def test_histograms_count_the_weights_of_each_layer(logged: Logged, result: Any) -> None:
    weights = {
        f"weights/trunk_{SHARED}/{weight.path}": weight.numpy()
        for weight in logged.tree.trunks[SHARED].model.weights
    }
    for name, head in logged.tree.heads.items():
        weights |= {f"weights/head_{name}/{part}": array for part, array in head.arrays.items()}
    assert tags_of(result, "histograms") == sorted(weights)
    assert f"weights/trunk_{SHARED}/block0_conv/kernel" in weights
    for tag, values in weights.items():
        [(_, buckets)] = arrays(result, tag)
        assert buckets[:, 2].sum() == values.size
        assert buckets[0, 0] <= values.min()
        assert buckets[-1, 1] >= values.max()


def test_the_graph_leads_from_the_log_mel_through_the_trunk_to_the_scores(result: Any) -> None:
    nodes = {node.name: node for node in result.Graph().node}
    assert f"trunk_{SHARED}/block0_conv" in nodes
    assert_whole(nodes)
    reached, left = set(), [list(nodes)[-1]]
    while left:
        name = left.pop()
        reached.add(name)
        left += nodes[name].input
    assert {"log_mel", f"trunk_{SHARED}/embedding"} <= reached


def assert_whole(nodes: dict[str, Any]) -> None:
    named = {name for node in nodes.values() for name in node.input}
    assert named <= set(nodes)
    assert [name for name, node in nodes.items() if not node.input] == ["log_mel"]


def test_the_projector_has_a_point_and_a_name_for_each_test_clip(logged: Logged) -> None:
    folder = logged.folder / "result"
    [(trunk, points, rows)] = read_projector(folder)
    assert trunk == f"trunk_{SHARED}"
    windows = predict(logged.tree.embedder(SHARED), patches_on_grid(logged.clips, TINY))
    np.testing.assert_allclose(points, mean_by_clip(windows, logged.clips), rtol=1e-4, atol=1e-5)
    assert rows == [
        {"class": clip.class_paths[0], "clip": clip.sha256, "side": "test"} for clip in logged.clips
    ]


def read_projector(folder: Path) -> list[tuple[str, np.ndarray[Any, Any], list[dict[str, str]]]]:
    """Name, points and metadata of each embedding that the projector finds in a run."""
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    found = []
    for one in config.embeddings:
        points = np.loadtxt(folder / one.tensor_path, delimiter="\t", ndmin=2)
        assert points.shape == tuple(one.tensor_shape)
        with (folder / one.metadata_path).open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        found.append((one.tensor_name, points, rows))
    return found


def test_of_many_clips_some_are_shown(
    logged: Logged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "MAX_POINTS", 3)
    clips = logged.clips
    projector.write_projector(tmp_path, clips, {SHARED: np.arange(2.0 * len(clips)).reshape(-1, 2)})
    [(_, points, rows)] = read_projector(tmp_path)
    assert len(points) == 3
    assert (rows[0]["clip"], rows[-1]["clip"]) == (clips[0].sha256, clips[-1].sha256)
    np.testing.assert_array_equal(points[-1], [2 * len(clips) - 2, 2 * len(clips) - 1])


def untrained(architecture: str, own: str | None = None) -> tuple[TrainedTree, list[ClipFeatures]]:
    """A tree with drawn weights, the expert ``animal`` with a trunk of its own if ``own`` names its architecture."""
    spec = by_parent(CLASSES)
    if own:
        selector, animal = spec.experts
        spec = TreeSpec((selector, replace(animal, trunk="own", architecture=own)))
    tree = TrainedTree.of_network(spec, TINY, build_network(spec, TINY, architecture), architecture)
    return tree, [clip for clip in made_clips(clips_per_group=1) if clip.side == "test"]


def test_an_expert_with_a_trunk_of_its_own_is_shown_through_it(tmp_path: Path) -> None:
    tree, clips = untrained("compact", own="sb_cnn")
    write_result(tmp_path, tree, clips, evaluate_tree(tree, clips))
    events = events_of(tmp_path)
    nodes = {node.name: node for node in events.Graph().node}
    assert_whole(nodes)
    assert {name.partition("/")[0] for name in nodes if "/" in name} == {"trunk_animal", f"trunk_{SHARED}"}
    assert [name for name, _, _ in read_projector(tmp_path)] == [f"trunk_{SHARED}", "trunk_animal"]
    maps = {
        name: [tag.rpartition("/")[2] for tag in tags_of(events, "images") if f"/{name}/" in tag]
        for name in CLASSES
    }
    assert maps["human"] == [
        "00_log_mel",
        *(f"{place + 1:02d}_block{place}_conv" for place in range(CONVOLUTIONS)),
    ]
    assert maps["animal-bird"] == ["00_log_mel", "01_conv0", "02_conv1", "03_conv2"]


@pytest.mark.parametrize("architecture", ["crnn", "mobilenet"])
def test_of_a_deep_trunk_some_convolutions_are_shown(architecture: str, tmp_path: Path) -> None:
    tree, clips = untrained(architecture)
    write_result(tmp_path, tree, clips, evaluate_tree(tree, clips))
    events = events_of(tmp_path)
    nodes = {node.name: node for node in events.Graph().node}
    assert len(nodes) == len(events.Graph().node), "each operation once, also where branches meet"
    assert_whole(nodes)
    maps = [tag for tag in tags_of(events, "images") if tag.startswith("feature_maps/human/")]
    assert 1 + 3 <= len(maps) <= 1 + 6


def test_a_tree_of_several_labels_has_the_same_log(tmp_path: Path) -> None:
    tree, clips = untrained("compact")
    tree = replace(
        tree,
        spec=replace(tree.spec, labels="multi"),
        thresholds=dict.fromkeys(tree.spec.nodes, 0.5),
    )
    evaluation = evaluate_tree(tree, clips)
    write_result(tmp_path, tree, clips, evaluation)
    points = scalars(tmp_path)
    assert set(points) == {"macro_f1", "accuracy", "ece", *(f"f1/{name}" for name in CLASSES)}
    assert points["macro_f1"] == [(0, stored(evaluation.macro_f1))]
    assert_whole({node.name: node for node in events_of(tmp_path).Graph().node})


def test_a_histogram_leaves_out_what_is_not_finite(tmp_path: Path) -> None:
    file = EventFile(tmp_path)
    file.histogram("some", np.array([[1.0, np.nan], [3.0, np.inf]], np.float32))
    file.histogram("none", np.array([np.nan], np.float32))
    file.histogram("one value", np.full(5, 2.0))
    events = events_of(tmp_path)
    counted = {tag: arrays(events, tag)[0][1][:, 2].sum() for tag in tags_of(events, "histograms")}
    assert counted == {"some": 2, "none": 0, "one value": 5}
