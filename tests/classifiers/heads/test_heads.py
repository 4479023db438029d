"""Heads on embeddings: they learn, they say what scikit-learn says, and they run inside a Keras graph."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.heads import HEADS, forest, linear
from tidzam_platform.classifiers.tree.activation import ACTIVATIONS
from tidzam_platform.errors import TrainingError

every_head = pytest.mark.parametrize("kind", sorted(HEADS))
WIDTH = 12


def clusters(
    examples: int = 240, classes: int = 3, *, spread: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around a centre for each class, and their labels; one input never varies."""
    random = np.random.default_rng(seed)
    labels = np.arange(examples) % classes
    centres = np.random.default_rng(classes).normal(size=(classes, WIDTH)) * 2
    embeddings = centres[labels] + spread * random.standard_normal((examples, WIDTH))
    embeddings[:, 3] = 0.0
    return embeddings.astype(np.float32), labels


def probabilities(kind: str, arrays: dict[str, np.ndarray], embeddings: np.ndarray) -> np.ndarray:
    return np.asarray(ACTIVATIONS["single"].probabilities(HEADS[kind].apply(arrays, embeddings)))


def kept_and_read(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays after a way through an npz file that may hold no pickles."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=False) as kept:
        return dict(kept)


@every_head
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_it_learns_and_gives_probabilities(kind: str, classes: int) -> None:
    arrays = HEADS[kind].fit(*clusters(classes=classes), classes, seed=1)
    unseen, labels = clusters(classes=classes, seed=9)
    scores = probabilities(kind, kept_and_read(arrays), unseen)
    assert scores.shape == (len(unseen), classes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert scores.min() >= 0
    assert (scores.argmax(axis=1) == labels).mean() > 0.95


@every_head
def test_it_runs_inside_a_graph_and_says_the_same_there(kind: str) -> None:
    keras = load_keras()
    embeddings, labels = clusters()
    arrays = HEADS[kind].fit(embeddings, labels, 3, seed=1)
    entry = keras.Input((WIDTH,))
    model = keras.Model(entry, ACTIVATIONS["single"].probabilities(HEADS[kind].apply(arrays, entry)))
    for batch in (1, 7):
        inside = np.asarray(model(embeddings[:batch]))
        np.testing.assert_allclose(inside, probabilities(kind, arrays, embeddings[:batch]), atol=1e-6)


@every_head
def test_the_same_seed_gives_the_same_arrays(kind: str) -> None:
    first, second = (HEADS[kind].fit(*clusters(spread=4.0), 3, seed=5) for _ in range(2))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


@every_head
def test_a_class_without_an_example_gets_probability_zero(kind: str) -> None:
    embeddings, labels = clusters()
    places = np.array([0, 2, 4])  # of five classes, 1 and 3 have no example
    scores = probabilities(kind, HEADS[kind].fit(embeddings, places[labels], 5, seed=1), embeddings)
    assert scores[:, [1, 3]].max() == 0
    assert (scores.argmax(axis=1) == places[labels]).mean() > 0.95


@every_head
def test_classes_are_balanced(kind: str) -> None:
    random = np.random.default_rng(3)
    labels = np.array([0] * 380 + [1] * 20)
    embeddings = random.standard_normal((400, WIDTH)).astype(np.float32)
    embeddings[:, 0] += labels  # they overlap widely
    scores = probabilities(kind, HEADS[kind].fit(embeddings, labels, 2, seed=1), embeddings)
    assert (scores[labels == 1].argmax(axis=1) == 1).mean() > 0.6


@every_head
def test_an_example_of_weight_zero_does_not_count(kind: str) -> None:
    embeddings, labels = clusters()
    noise = np.random.default_rng(4).standard_normal((60, WIDTH)).astype(np.float32) * 9
    joined = np.concatenate([embeddings, noise]), np.concatenate([labels, np.zeros(60, np.int64)])
    weights = np.concatenate([np.ones(240), np.zeros(60)])
    with_noise = HEADS[kind].fit(*joined, 3, weights=weights, seed=1)
    without = HEADS[kind].fit(embeddings, labels, 3, seed=1)
    for name, array in without.items():
        np.testing.assert_array_equal(array, with_noise[name])


def test_the_linear_head_says_what_scikit_learn_says_on_standardised_inputs() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    embeddings, labels = clusters(spread=3.0)
    embeddings = embeddings * 50 + 1000  # far from standardised
    standardised = StandardScaler().fit_transform(embeddings.astype(np.float64))
    model = LogisticRegression(class_weight="balanced", max_iter=5000).fit(standardised, labels)
    arrays = linear.fit(embeddings, labels, 3, seed=0)
    np.testing.assert_allclose(
        probabilities("linear", arrays, embeddings), model.predict_proba(standardised), atol=1e-3
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(2, 6),
    spread=st.floats(0.1, 10),
    trees=st.integers(1, 8),
    depth=st.sampled_from([1, 2, 5, None]),
    steps=st.sampled_from([None, 4.0, 0.5]),
)
@example(seed=38142, classes=3, spread=0.1875, trees=1, depth=1, steps=4.0)  # a threshold of 0
def test_the_forest_says_what_scikit_learn_says(
    seed: int, classes: int, spread: float, trees: int, depth: int | None, steps: float | None
) -> None:
    from sklearn.ensemble import RandomForestClassifier

    embeddings, labels = clusters(60, classes, spread=spread, seed=seed)
    if steps:  # coarse values: many lie on a threshold's edge
        embeddings = np.round(embeddings * steps) / steps
    model = RandomForestClassifier(trees, max_depth=depth, random_state=seed % 1000).fit(embeddings, labels)
    asked = np.concatenate([embeddings, _near_thresholds(model, embeddings)]).astype(np.float32)
    ours = probabilities("forest", forest.as_arrays(model, classes), asked)
    np.testing.assert_allclose(ours, model.predict_proba(asked), atol=1e-5)


def _near_thresholds(model: Any, embeddings: np.ndarray) -> np.ndarray:
    """Rows whose inputs lie on a threshold, and on the float32 values beside it (TensorFlow takes subnormals for 0)."""
    tree = model.estimators_[0].tree_
    if tree.feature[0] < 0:
        return embeddings[:0]
    rows = np.repeat(embeddings[:1], 3, axis=0)
    edge = np.float32(tree.threshold[0])
    beside = np.nextafter(edge, np.array([np.inf, -np.inf], dtype=np.float32))
    tiny = np.finfo(np.float32).tiny
    rows[:, tree.feature[0]] = [edge, *np.where(np.abs(beside) < tiny, np.copysign(tiny, beside), beside)]
    return rows


def test_a_forest_of_stumps_that_never_split_is_evaluated_too() -> None:
    same = np.ones((10, WIDTH), np.float32)
    arrays = forest.fit(same, np.arange(10) % 2, 2, seed=0)
    assert int(arrays["depth"]) == 0
    np.testing.assert_allclose(probabilities("forest", arrays, same), 0.5, atol=0.2)


@every_head
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels": np.zeros(240, np.int64)}, "at least two classes, there are 1"),
        ({"labels": np.arange(240) % 4}, "labels reach from 0 to 3, there are 3 classes"),
        ({"labels": np.arange(10) % 3}, r"it was given \[240, 12\] and \[10\]"),
        ({"embeddings": np.full((240, WIDTH), np.nan, np.float32)}, "embedding 0 is not finite"),
        ({"weights": np.full(240, -1.0)}, "at least 0"),
        ({"weights": np.zeros(240)}, "at least two classes, there are 0"),
    ],
)
def test_examples_that_cannot_be_learnt_from_are_refused(
    kind: str, change: dict[str, Any], says: str
) -> None:
    embeddings, labels = clusters()
    arguments = {"embeddings": embeddings, "labels": labels, "classes": 3, "seed": 0, **change}
    with pytest.raises(TrainingError, match=says):
        HEADS[kind].fit(**arguments)


def independent(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of which the first three inputs tell by themselves whether each of three classes is there."""
    random = np.random.default_rng(seed)
    truth = random.random((400, 3)) < 0.5
    embeddings = random.standard_normal((400, WIDTH)) * 0.3
    embeddings[:, :3] += truth
    embeddings[:, 3] = 0.0
    return embeddings.astype(np.float32) * 20 + 7, truth.astype(np.float32)


def test_the_linear_head_tells_for_each_class_whether_it_is_there() -> None:
    embeddings, truth = independent()
    arrays = kept_and_read(linear.fit_independent(embeddings, truth, 1 - truth, seed=0))
    unseen, expected = independent(seed=1)
    scores = np.asarray(ACTIVATIONS["multi"].probabilities(linear.apply(arrays, unseen)))
    assert scores.dtype == np.float32
    assert ((scores > 0.5) == expected).mean() > 0.93
    assert (scores.sum(axis=1) > 1.5).any(), "several at once"


def test_examples_of_which_nobody_knows_do_not_count_for_that_class_alone() -> None:
    embeddings, truth = independent()
    half = np.arange(len(truth)) < 200
    known = np.ones_like(truth)
    known[half, 0] = 0
    arrays = linear.fit_independent(embeddings, truth * known, (1 - truth) * known, seed=0)
    lied = truth.copy()
    lied[half, 0] = 1 - lied[half, 0]
    same = linear.fit_independent(embeddings, lied * known, (1 - lied) * known, seed=0)
    other = linear.fit_independent(embeddings, lied, 1 - lied, seed=0)
    np.testing.assert_array_equal(arrays["kernel"], same["kernel"])
    assert np.abs(arrays["kernel"][:, 0] - other["kernel"][:, 0]).max() > 1e-3
    np.testing.assert_array_equal(arrays["kernel"][:, 1:], other["kernel"][:, 1:])


def test_a_class_that_no_example_has_or_none_lacks_is_certain() -> None:
    embeddings, truth = independent()
    truth[:, 0], truth[:, 1] = 0, 1
    arrays = linear.fit_independent(embeddings, truth, 1 - truth, seed=0)
    scores = np.asarray(ACTIVATIONS["multi"].probabilities(linear.apply(arrays, embeddings)))
    assert scores[:, 0].max() == 0
    assert scores[:, 1].min() == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"yes": np.zeros((400, 3))}, "at least one class"),
        ({"yes": np.zeros((400, 2))}, r"\[400, 2\] and \[400, 3\]"),
        ({"embeddings": np.full((400, WIDTH), np.inf, np.float32)}, "embedding 0 is not finite"),
    ],
)
def test_truths_that_cannot_be_learnt_from_are_refused(change: dict[str, Any], says: str) -> None:
    embeddings, truth = independent()
    with pytest.raises(TrainingError, match=says):
        linear.fit_independent(
            **{"embeddings": embeddings, "yes": truth, "no": 1 - truth, "seed": 0, **change}
        )
