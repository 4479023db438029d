"""What labels say of every node: certainly there, certainly not there, or nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.tree.made import trees
from tidzam_platform.classifiers.training.targets import node_truths, output_truths, targets_of
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.labels.class_paths import is_within

CLASSES = ("animal-bird-crow", "animal-bird-robin", "animal-frog", "rain")
MULTI = replace(by_parent(CLASSES), labels="multi")


def told(spec: TreeSpec, *labels: Sequence[str]) -> np.ndarray:
    return targets_of([[spec.nodes.index(node) for node in own] for own in labels], spec.nodes)


def drawn(spec: TreeSpec, labels: Sequence[str], *, of_outputs: bool) -> dict[str, str]:
    """``+`` for what is there, ``-`` for what is not, ``?`` for what does not count."""
    targets = told(spec, labels)
    truths = output_truths(spec, targets) if of_outputs else node_truths(spec, targets)
    yes, no = np.asarray(truths.yes)[0], np.asarray(truths.no)[0]
    assert set(yes) | set(no) <= {0, 1}
    names = spec.outputs if of_outputs else spec.nodes
    return {name: "+" if y else "-" if n else "?" for name, y, n in zip(names, yes, no, strict=True)}


@pytest.mark.parametrize(
    ("labels", "signs"),
    # animal, rain | animal-bird, animal-frog | animal-bird-crow, animal-bird-robin
    [
        (["rain"], "-+ ?? ??"),
        (["animal-frog"], "+- -+ ??"),
        (["animal-bird-crow"], "+- +- +-"),
        (["animal-bird-crow", "rain"], "++ +- +-"),
        (["animal-bird-crow", "animal-frog"], "+- ++ +-"),
        (["animal"], "+- ?? ??"),
        (["animal-bird"], "+- +- ??"),
        (["animal", "animal-bird-crow"], "+- +- +-"),
        (["animal-bird", "animal-frog", "rain"], "++ ++ ??"),
    ],
)
def test_an_expert_learns_from_clips_in_which_its_class_sounds(labels: list[str], signs: str) -> None:
    assert MULTI.outputs == (
        "animal",
        "rain",
        "animal-bird",
        "animal-frog",
        "animal-bird-crow",
        "animal-bird-robin",
    )
    assert "".join(drawn(MULTI, labels, of_outputs=True).values()) == signs.replace(" ", "")


def test_of_scores_everything_counts_that_is_known() -> None:
    assert drawn(MULTI, ["animal-bird"], of_outputs=False) == {
        "animal": "+",
        "animal-bird": "+",
        "animal-bird-crow": "?",
        "animal-bird-robin": "?",
        "animal-frog": "-",
        "rain": "-",
    }
    assert set(drawn(MULTI, [], of_outputs=False).values()) == {"-"}


def test_in_a_tree_of_single_labels_what_is_there_says_all() -> None:
    single = replace(MULTI, labels="single")
    assert "".join(drawn(single, ["animal-bird-crow"], of_outputs=True).values()) == "+?+?+?"
    targets = told(single, ["animal-bird-crow", "rain"], ["animal"])
    shares = node_truths(single, targets).yes
    np.testing.assert_array_equal(shares.sum(axis=1), 1)
    assert shares[0, single.nodes.index("rain")] == 0.5


@settings(max_examples=50)
@given(trees(), st.data())
def test_a_class_is_there_if_any_class_below_it_is_and_open_only_below_what_is_there(
    tree: TreeSpec, data: st.DataObject
) -> None:
    labels = data.draw(st.lists(st.sampled_from(tree.nodes), min_size=1, max_size=4, unique=True))
    _, sure, possible = told(tree, labels).reshape(3, -1)
    for index, node in enumerate(tree.nodes):
        assert sure[index] == any(is_within(label, node) for label in labels)
        assert sure[index] <= possible[index]
        if possible[index] > sure[index]:
            above = tree.parent_of(node)
            assert above is not None
            assert possible[tree.nodes.index(above)] == 1
