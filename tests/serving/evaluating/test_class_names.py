"""Names that people write find the classes of a model, or are said to find none or several."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.evaluating.class_names import ClassTree, LabelMap, as_named_by
from serving.signature import ClassDescription, ModelDescription
from tests.classifiers.evaluation.untimed import untimed

PATHS = ("birds", "birds-american_crow", "birds-owl", "frogs", "noise", "night", "night-owl")
TREE = ClassTree.of(
    ModelDescription(
        tuple(ClassDescription(path, path.rpartition("-")[0] or None, 0.5) for path in PATHS),
        rate_hz=8000,
        window_s=1,
        hop_s=1,
        generation=1,
        dataset_version="v",
    )
)


def test_leaves_are_the_classes_without_children() -> None:
    assert [TREE.paths[index] for index in TREE.leaves] == [
        "birds-american_crow",
        "birds-owl",
        "frogs",
        "noise",
        "night-owl",
    ]


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("birds-owl", ("birds-owl",)),
        ("american_crow", ("birds-american_crow",)),
        ("American Crow", ("birds-american_crow",)),
        (" frogs ", ("frogs",)),
        ("birds", ("birds",)),
        ("owl", ("birds-owl", "night-owl")),
        ("crow", ()),
        ("wolf", ()),
        ("", ()),
    ],
)
def test_a_label_is_a_path_or_the_ending_of_one(label: str, found: tuple[str, ...]) -> None:
    assert TREE.find(label) == found


def test_labels_that_find_none_or_several_are_told_and_mean_themselves() -> None:
    labels = LabelMap.of(["frogs", "owl", "wolf", "frogs"], TREE)
    assert labels.known == {"frogs": "frogs"}
    assert labels.unknown == ("wolf",)
    assert labels.ambiguous == {"owl": ("birds-owl", "night-owl")}
    assert [labels.class_of(label) for label in ("frogs", "owl", "wolf")] == ["frogs", "owl", "wolf"]


@pytest.mark.parametrize(
    ("names", "answer", "counts_as"),
    [
        ({"birds"}, "birds-owl", "birds"),
        ({"birds", "birds-owl"}, "birds-owl", "birds-owl"),
        ({"a", "a-b"}, "a-b-c", "a-b"),
        ({"birds-owl"}, "birds", "birds"),
        ({"birds"}, "birdsong", "birdsong"),
        (set(), "noise", "noise"),
    ],
)
def test_an_answer_counts_as_what_the_data_calls_it(names: set[str], answer: str, counts_as: str) -> None:
    assert as_named_by(names, answer) == counts_as


@untimed
@given(st.sampled_from(PATHS))
def test_every_class_finds_itself(path: str) -> None:
    assert TREE.find(path) == (path,)
