"""AudioSet's ontology becomes class paths and a tree: several parents, restrictions, names that collide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.classifiers.tree.made import leaves_of
from tidzam_platform.classifiers.tree.audioset import AudioSetTree, tree_from_ontology
from tidzam_platform.classifiers.tree.audioset_ontology import (
    Ontology,
    OntologyClass,
    ontology_from_json,
    read_ontology,
)
from tidzam_platform.errors import TreeError
from tidzam_platform.labels.class_paths import valid_class_path


def entry(name: str, *child_ids: str, restrictions: tuple[str, ...] = (), class_id: str = "") -> dict:
    """As the file has it, with what nobody needs."""
    return {
        "id": class_id or f"/m/{name.lower()}",
        "name": name,
        "description": f"The sound of {name}.",
        "citation_uri": "",
        "positive_examples": ["youtu.be/x?start=0&end=10"],
        "child_ids": list(child_ids),
        "restrictions": list(restrictions),
    }


ENTRIES = [
    entry("Animal", "/m/pets", "/m/wild", "/m/livestock"),
    entry("Pets", "/m/dog", "/m/cat", restrictions=("abstract",)),
    entry("Dog", "/m/bark", "/m/howl"),
    entry("Bark"),
    entry("Howl"),
    entry("Cat", "/t/hiss"),
    entry("Hiss", class_id="/t/hiss"),
    entry("Wild", "/t/wolves", "/m/snake", "/m/frog", restrictions=("abstract", "blacklist")),
    entry("Canidae, dogs & wolves", "/m/howl", class_id="/t/wolves"),
    entry("Snake", "/t/hiss", "/m/rattle"),
    entry("Rattle", restrictions=("blacklist",)),
    entry("Frog", "/m/croak"),
    entry("Croak"),
    entry("Livestock", restrictions=("abstract",)),
    entry("Rain", "/m/r1", "/m/r2", "/m/r3"),
    entry("Drip-drop", class_id="/m/r1"),
    entry("Drip drop!", class_id="/m/r2"),
    entry("Drip drop 2", class_id="/m/r3"),
    entry("Hum", class_id="/m/hum1"),
    entry("HUM", class_id="/m/hum2"),
]
ONTOLOGY = ontology_from_json(ENTRIES)


def outputs(made: AudioSetTree) -> dict[str, tuple[str, ...]]:
    return {expert.name: expert.outputs for expert in made.tree.experts}


def test_names_become_class_paths_along_the_first_parent_in_file_order() -> None:
    paths = ONTOLOGY.class_paths
    assert paths["/m/bark"] == "animal-pets-dog-bark"
    assert paths["/t/wolves"] == "animal-wild-canidae_dogs_wolves"
    assert paths["/m/howl"] == "animal-pets-dog-howl"
    assert paths["/t/hiss"] == "animal-pets-cat-hiss"


def test_of_siblings_with_one_name_the_later_get_a_number_that_is_free() -> None:
    paths = ONTOLOGY.class_paths
    assert [paths[f"/m/r{number}"] for number in (1, 2, 3)] == [
        "rain-drip_drop",
        "rain-drip_drop_3",
        "rain-drip_drop_2",
    ]
    assert (paths["/m/hum1"], paths["/m/hum2"]) == ("hum", "hum_2")
    assert ONTOLOGY.renamed == {"/m/r2", "/m/hum2"}


def test_a_tree_holds_the_classes_asked_for_and_all_below_them() -> None:
    made = tree_from_ontology(ONTOLOGY, ["dog", "/m/rain"])
    assert outputs(made) == {
        "selector": ("animal-pets-dog", "rain"),
        "animal-pets-dog": ("animal-pets-dog-bark", "animal-pets-dog-howl"),
        "rain": ("rain-drip_drop", "rain-drip_drop_2", "rain-drip_drop_3"),
    }
    assert made.class_paths["/m/dog"] == "animal-pets-dog"
    assert made.without_clips == ("animal", "animal-pets")
    assert made.other_parents == {"animal-pets-dog-howl": ("animal-wild-canidae_dogs_wolves",)}
    assert made.renamed == ("/m/r2",)
    assert made.left_out == {}


def test_abstract_and_blacklisted_classes_are_inner_nodes_or_left_out() -> None:
    made = tree_from_ontology(ONTOLOGY, ["Animal"])
    assert {"animal-pets", "animal-wild"} <= set(made.without_clips)
    assert not {"/m/pets", "/m/wild", "/m/rattle", "/m/livestock"} & set(made.class_paths)
    assert "blacklist" in made.left_out["/m/rattle"]
    assert "abstract" in made.left_out["/m/livestock"]
    assert "animal-wild-snake-rattle" not in made.tree.nodes


def test_a_class_with_clips_and_one_child_stays_and_counts_the_child() -> None:
    made = tree_from_ontology(ONTOLOGY, ["Frog", "Rain"])
    assert "animal-wild-frog" in made.tree.leaves
    assert made.tree.covers(made.class_paths["/m/croak"]) == "animal-wild-frog"
    assert made.left_out == {"/m/croak": "Croak counts for animal-wild-frog, which has nothing else below it"}


def test_a_class_below_one_asked_for_keeps_the_path_of_its_first_parent() -> None:
    made = tree_from_ontology(ONTOLOGY, ["Snake", "Rain"])
    assert outputs(made)["selector"] == ("animal", "rain")
    assert outputs(made)["animal"] == ("animal-pets-cat-hiss", "animal-wild-snake")
    assert made.other_parents == {"animal-pets-cat-hiss": ("animal-wild-snake",)}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["Rayn", "Dog"], "near to it: 'Rain'"),
        (["hum", "Dog"], "/m/hum1, /m/hum2"),
        (["Livestock"], "at least 2 classes"),
        ([], "at least 2 classes"),
        (["Bark"], "animal-pets-dog-bark"),
    ],
)
def test_what_cannot_be_asked_for_is_told(asked: list[str], says: str) -> None:
    with pytest.raises(TreeError) as refused:
        tree_from_ontology(ONTOLOGY, asked)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({}, "list of classes"),
        ([3], "entry 0 is no object"),
        ([entry("Rain"), {"name": "Wind"}], "entry 1 has no text 'id'"),
        ([{"id": "/m/1", "name": ""}], "entry 0 has no text 'name'"),
        ([{"id": "/m/1", "name": "Rain", "child_ids": "/m/2"}], "entry 0 (Rain): 'child_ids'"),
        ([{"id": "/m/1", "name": "Rain", "restrictions": [1]}], "entry 0 (Rain): 'restrictions'"),
        ([entry("Rain", restrictions=("secret",))], "'secret'"),
        ([entry("Rain"), entry("Rain")], "'/m/rain' twice"),
        ([entry("Rain", "/m/drop")], "'/m/drop', which is no class"),
        ([entry("Rain", "/m/rain")], "lies below itself"),
        ([entry("Egg", "/m/hen"), entry("Hen", "/m/egg")], "lies below itself"),
        ([entry("x" * 300)], "is no class path"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_place(entries: object, says: str) -> None:
    with pytest.raises(TreeError) as refused:
        ontology_from_json(entries)
    assert says in str(refused.value)


def test_the_file_is_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "ontology.json"
    path.write_text(json.dumps(ENTRIES))
    assert read_ontology(path) == ONTOLOGY
    path.write_text("[{]")
    with pytest.raises(TreeError, match=r"ontology\.json is no JSON"):
        read_ontology(path)
    with pytest.raises(TreeError, match="absent"):
        read_ontology(tmp_path / "absent.json")


@st.composite
def ontologies(draw: st.DrawFn) -> Ontology:
    """Graphs without circles: each class may hold any of those after it. Names are anything."""
    names = draw(
        st.lists(st.text(min_size=1, max_size=6) | st.sampled_from(["a", "A", "a b"]), min_size=1, max_size=8)
    )
    return Ontology(
        tuple(
            OntologyClass(
                f"/m/{number}",
                name,
                tuple(
                    f"/m/{child}" for child in draw(st.sets(st.integers(0, len(names) - 1))) if child > number
                ),
                frozenset(draw(st.sets(st.sampled_from(["abstract", "blacklist"])))),
            )
            for number, name in enumerate(names)
        )
    )


@given(ontologies())
def test_every_class_has_a_class_path_of_its_own_whatever_its_name(ontology: Ontology) -> None:
    paths = ontology.class_paths
    assert set(paths) == {item.id for item in ontology.classes}
    assert len(set(paths.values())) == len(paths)
    for class_id, path in paths.items():
        assert valid_class_path(path) == path
        first = next(iter(ontology.parents[class_id]), None)
        assert path.rpartition("-")[0] == (paths[first] if first else "")


@given(ontologies())
def test_every_class_that_can_be_labelled_finds_its_place(ontology: Ontology) -> None:
    labels = {ontology.class_paths[item.id] for item in ontology.classes if item.can_be_labelled}
    everything = [item.id for item in ontology.classes]
    if len(leaves_of(labels)) < 2:
        with pytest.raises(TreeError, match="at least 2"):
            tree_from_ontology(ontology, everything)
        return
    made = tree_from_ontology(ontology, everything)
    assert set(made.class_paths.values()) == labels
    assert all(made.tree.covers(label) is not None for label in labels)
    assert set(made.left_out) == {
        item.id for item in ontology.classes if ontology.class_paths[item.id] not in made.tree.nodes
    }
