"""Changes of classes: many are one mapping, none goes round in a circle, and labels are read by the newest names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.datasets.taxonomy import Taxonomy, comparison_names, compose
from tidzam_platform.datasets.taxonomy_changes import Wishes, mapping_of, read_wishes
from tidzam_platform.errors import InvalidNameError, TaxonomyError
from tidzam_platform.labels.class_paths import is_within

PATHS = st.sampled_from(["a", "b", "c", "d", "e", "birds", "birds-crow", "birds-robin", "birds-crow-young"])
CHANGES = st.dictionaries(
    PATHS, st.lists(PATHS, min_size=1, max_size=3, unique=True).map(tuple), min_size=1, max_size=3
)


def applied(path: str, changes: list[dict[str, tuple[str, ...]]]) -> set[str]:
    """One change after the other."""
    now = {path}
    for change in changes:
        now = {target for name in now for target in change.get(name, (name,))}
    return now


@given(st.lists(CHANGES, max_size=5), PATHS)
def test_all_changes_together_are_one_mapping(changes: list[dict[str, tuple[str, ...]]], path: str) -> None:
    whole: dict[str, tuple[str, ...]] = {}
    for change in changes:
        whole = compose(whole, change)
    assert set(whole.get(path, (path,))) == applied(path, changes)


@given(CHANGES, CHANGES, CHANGES)
def test_it_does_not_matter_which_are_put_together_first(
    one: dict[str, tuple[str, ...]], two: dict[str, tuple[str, ...]], three: dict[str, tuple[str, ...]]
) -> None:
    left, right = compose(compose(one, two), three), compose(one, compose(two, three))
    assert {path: set(to) for path, to in left.items()} == {path: set(to) for path, to in right.items()}


@given(st.lists(CHANGES, max_size=6), PATHS)
def test_what_was_accepted_never_goes_round_in_a_circle(
    changes: list[dict[str, tuple[str, ...]]], path: str
) -> None:
    taxonomy = Taxonomy()
    for change in changes:
        try:
            taxonomy = taxonomy.changed(change)
        except TaxonomyError:
            continue
    for target in taxonomy.targets(path):
        assert taxonomy.targets(target) == (target,), "today's names are today's names"
        assert path == target or path in taxonomy.sources(target)
        assert {path, target} <= {*taxonomy.all_names(path)}
        assert {*taxonomy.all_names(path)} <= {path, *taxonomy.targets(path), *taxonomy.becomes}


def test_circles_are_refused_with_words_and_taking_a_change_back_is_none() -> None:
    with pytest.raises(TaxonomyError, match="round in a circle"):
        Taxonomy().changed({"a": ("b",), "b": ("a",)})
    renamed = Taxonomy().changed({"a": ("b",)})
    with pytest.raises(TaxonomyError, match=r"'c' cannot become 'a': that class became 'b'"):
        renamed.changed({"c": ("a",)})
    back = renamed.changed({"b": ("a",)})
    assert (back.version, back.targets("a"), back.targets("b")) == (2, ("a",), ("a",))
    for wrong in ({}, {"a": ("a",)}, {"a": ()}, {"a": ("b", "b")}, {"a": ("a", "b")}):
        with pytest.raises(TaxonomyError):
            Taxonomy().changed(wrong)
    with pytest.raises(InvalidNameError):
        Taxonomy().changed({"a": ("unknown",)})


def test_a_label_of_a_split_class_means_the_part_that_another_label_names() -> None:
    taxonomy = Taxonomy().changed({"crow": ("birds-rook", "birds-jackdaw"), "x": ("y", "z")})
    assert taxonomy.settle("crow", ["crow", "birds-rook"]) == "birds-rook"
    assert taxonomy.settle("crow", ["birds-rook-young"]) == "birds-rook"
    assert taxonomy.settle("crow", ["rain"]) == "birds", "the deepest class above both"
    assert taxonomy.settle("crow", ["birds-rook", "birds-jackdaw"]) == "birds"
    assert taxonomy.settle("x", []) is None, "nobody can say"
    assert taxonomy.settle("rain", []) == "rain"
    assert taxonomy.name("crow") == "crow"


KNOWN = ("animal", "animal-cat", "birds", "birds-crow", "birds-crow-young", "kitten", "rain")


def test_wishes_become_a_mapping_of_what_is_known() -> None:
    rename = mapping_of(Wishes({"birds": "avian"}, {}, {}), KNOWN)
    assert rename == {
        "birds": ("avian",),
        "birds-crow": ("avian-crow",),
        "birds-crow-young": ("avian-crow-young",),
    }
    merge = mapping_of(Wishes({}, {"animal-cat": ("animal-cat", "kitten")}, {}), KNOWN)
    assert merge == {"kitten": ("animal-cat",)}
    split = mapping_of(Wishes({}, {}, {"rain": ("rain-light", "rain-heavy")}), KNOWN)
    assert split == {"rain": ("rain-light", "rain-heavy")}
    deeper = mapping_of(Wishes({"rain": "rain-heavy"}, {}, {}), KNOWN)
    assert deeper == {"rain": ("rain-heavy",)}


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Wishes({"brids": "avian"}, {}, {}), "no class 'brids' is known"),
        (Wishes({"crow": "raven"}, {}, {}), "perhaps 'birds-crow'"),
        (Wishes({"kitten": "animal-cat"}, {}, {}), "taxonomy merge kitten,animal-cat animal-cat"),
        (Wishes({}, {"c": ()}, {}), "say which classes become 'c'"),
        (Wishes({}, {"c": ("nothing",)}, {}), "no class 'nothing'"),
        (Wishes({}, {}, {"birds": ()}), "labels name 1"),
        (Wishes({"rain": "wet"}, {"weather": ("rain",)}, {}), "choose"),
    ],
)
def test_what_makes_no_sense_is_refused(wishes: Wishes, words: str) -> None:
    with pytest.raises(TaxonomyError, match=words):
        mapping_of(wishes, KNOWN)


def test_a_file_of_changes_is_read_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "changes.toml"
    path.write_text(
        '[rename]\n"birds" = "avian"\n[merge]\n"cat" = ["animal-cat", "kitten"]\n[split]\nrain = ["a", "b"]\n'
    )
    assert read_wishes(path) == Wishes(
        {"birds": "avian"}, {"cat": ["animal-cat", "kitten"]}, {"rain": ["a", "b"]}
    )
    for text in (
        '[renames]\na = "b"',
        "[rename]\na = 3",
        '[merge]\na = "b"',
        "rename = 3",
        "[",
        "[split]\na = [1]",
    ):
        path.write_text(text)
        with pytest.raises(TaxonomyError, match=r"changes\.toml"):
            read_wishes(path)


@given(st.frozensets(PATHS, min_size=1), st.frozensets(PATHS, min_size=1), CHANGES)
def test_names_to_compare_by_are_the_same_for_what_is_the_same(
    one: frozenset[str], other: frozenset[str], change: dict[str, tuple[str, ...]]
) -> None:
    try:
        taxonomy = Taxonomy().changed(change)
    except TaxonomyError:
        taxonomy = Taxonomy()
    names = comparison_names(one, other, taxonomy)
    assert names == comparison_names(other, one, taxonomy)
    assert {*one, *other} <= names.keys()
    for path in {*one, *other}:
        parts = taxonomy.targets(path)
        if len(parts) > 1:
            assert {names[part] for part in parts if part in names} <= {names[path]}


def test_where_one_knows_the_whole_and_the_other_its_parts_both_are_the_whole() -> None:
    assert comparison_names(["birds"], ["birds-crow", "rain"]) == {
        "birds": "birds",
        "birds-crow": "birds",
        "rain": "rain",
    }
    split = Taxonomy().changed({"crow": ("birds-rook", "birds-jackdaw")})
    names = comparison_names(["crow"], ["birds-rook", "birds-jackdaw"], split)
    assert set(names.values()) == {"crow"}
    renamed = Taxonomy().changed({"crow": ("birds-crow",)})
    names = comparison_names(["crow"], ["birds-crow"], renamed)
    assert names == {"crow": "birds-crow", "birds-crow": "birds-crow"}
    assert all(is_within(name, "birds") for name in names.values())
