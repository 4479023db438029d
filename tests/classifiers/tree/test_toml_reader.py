"""The tree as TOML: what is written is read back, and what is wrong is named with its place."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classifiers.tree.made import trees
from tidzam_platform.classifiers.tree import ExpertSpec, TreeSpec, read_tree, tree_from_toml, tree_to_toml
from tidzam_platform.errors import TreeError

ROOT = Path(__file__).resolve().parents[3]
SELECTOR = '[experts.selector]\nclasses = ["animal", "rain"]\n'


def test_a_tree_is_read() -> None:
    text = SELECTOR + (
        '[experts.animal]\nclasses = ["animal-bird", "animal-cat"]\ntrunk = "own"\narchitecture = "resnet"\n'
        '[experts.animal-bird]\nclasses = ["animal-bird-crow", "animal-bird-robin"]\nhead = "lstm"\n'
    )
    assert tree_from_toml(text) == TreeSpec(
        (
            ExpertSpec("selector", ("animal", "rain")),
            ExpertSpec("animal", ("animal-bird", "animal-cat"), trunk="own", architecture="resnet"),
            ExpertSpec("animal-bird", ("animal-bird-crow", "animal-bird-robin"), head="lstm"),
        )
    )


def test_experts_may_stand_in_any_order() -> None:
    bird = '[experts.animal-bird]\nclasses = ["animal-bird-crow", "animal-bird-robin"]\n'
    animal = '[experts.animal]\nclasses = ["animal-bird", "animal-cat"]\n'
    assert tree_from_toml(bird + animal + SELECTOR) == tree_from_toml(SELECTOR + animal + bird)


@given(trees())
def test_a_tree_survives_toml(tree: TreeSpec) -> None:
    assert tree_from_toml(tree_to_toml(tree)) == tree


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("experts = [", "no TOML"),
        ("", "no experts"),
        ("experts = 3", "no experts"),
        ("[experts]\n", "no experts"),
        (SELECTOR + "[front_end]\nbands = 64", "front_end is not known"),
        ("experts.selector = 3", "experts.selector is 3"),
        ("[experts.selector]\nclass = ['a', 'b']", "experts.selector.class is not known"),
        ("[experts.selector]\ntrunk = 'own'", "experts.selector has no classes"),
        ("[experts.selector]\nclasses = 'ab'", "experts.selector.classes is 'ab'"),
        ("[experts.selector]\nclasses = ['a', 2]", "experts.selector.classes"),
        (SELECTOR + "trunk = 3", "experts.selector.trunk is 3"),
        (SELECTOR + "trunk = 'lent'", "experts.selector: expert 'selector' has the trunk 'lent'"),
        (SELECTOR + "architecture = []", "experts.selector.architecture"),
        (
            SELECTOR + "[experts.animal]\nclasses = ['bird', 'cat']",
            "'bird', which does not lie below 'animal'",
        ),
        (SELECTOR + "[experts.car]\nclasses = ['car-horn', 'car-door']", "'car' divides no class"),
        ("[experts.animal]\nclasses = ['animal-cat', 'animal-dog']", "'selector'"),
        ("a = " + "[" * 5000, "no TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, says: str) -> None:
    with pytest.raises(TreeError) as refused:
        tree_from_toml(text, place="my_tree.toml")
    assert says in str(refused.value)
    assert "my_tree.toml" in str(refused.value)


def test_wrong_toml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tree.toml"
    path.write_text(SELECTOR + "trunk = own\n")
    with pytest.raises(TreeError, match=r"tree\.toml is no TOML: .*line 3"):
        read_tree(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="absent"):
        read_tree(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(TreeError, match="UTF-8"):
        read_tree(tmp_path / "latin.toml")


@given(st.text(alphabet="[]{}=.\"'\n experts.selector_classes-1", max_size=80))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    with contextlib.suppress(TreeError):
        assert isinstance(tree_from_toml(text), TreeSpec)


def test_the_examples_of_the_page_are_trees() -> None:
    page = (ROOT / "docs" / "tree.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        assert len(tree_from_toml(example).experts) > 1
