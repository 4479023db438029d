"""A tree of experts for classes of AudioSet's ontology."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from tidzam_platform.classifiers.tree.audioset_ontology import Ontology, OntologyClass
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.errors import TreeError


@dataclass(frozen=True)
class AudioSetTree:
    """A tree made from the ontology, and what was decided on the way.

    Attributes:
        tree: the experts.
        class_paths: class path of each id that clips may be labelled with.
        without_clips: nodes of the tree that no clip is labelled with: abstract, blacklisted or not asked for.
        other_parents: for class paths asked for or in the tree that have several parents, those not taken.
        left_out: why a class that was asked for is no node of the tree, by its id.
        renamed: ids of classes in the tree whose name was taken by a sibling.
    """

    tree: TreeSpec
    class_paths: Mapping[str, str]
    without_clips: tuple[str, ...]
    other_parents: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, str]
    renamed: tuple[str, ...]


def tree_from_ontology(ontology: Ontology, asked: Iterable[str]) -> AudioSetTree:
    """The tree for the classes asked for and all below them, by ``by_parent``.

    A class that lies below one asked for by any of its parents is taken; its path is that of its first parent, which
    may lead elsewhere. An abstract or blacklisted class is an inner node, and left out where nothing lies below it.
    A class that clips are labelled with and that has a single child counts that child as itself.

    Args:
        ontology: all classes.
        asked: ids or names (upper and lower case are the same), e.g. ``["Bird", "Vehicle", "/m/05tny_"]``.

    Raises:
        TreeError: a class is unknown or its name ambiguous, or fewer than two classes remain.
    """
    taken = _with_descendants(ontology, [_find(ontology, item) for item in asked])
    paths = {item.id: ontology.class_paths[item.id] for item in taken if item.can_be_labelled}
    tree = by_parent(paths.values(), undivided=set(paths.values()))
    nodes = set(tree.nodes)
    in_tree = {item for item in ontology.classes if ontology.class_paths[item.id] in nodes}
    return AudioSetTree(
        tree=tree,
        class_paths=paths,
        without_clips=tuple(sorted(nodes - set(paths.values()))),
        other_parents={
            ontology.class_paths[item.id]: tuple(ontology.class_paths[other] for other in others)
            for item in ontology.classes
            if (item in in_tree or item in taken) and (others := ontology.parents[item.id][1:])
        },
        left_out={
            item.id: _why_left_out(item, tree.covers(ontology.class_paths[item.id]))
            for item in taken
            if ontology.class_paths[item.id] not in nodes
        },
        renamed=tuple(
            item.id for item in ontology.classes if item in in_tree and item.id in ontology.renamed
        ),
    )


def _find(ontology: Ontology, asked: str) -> OntologyClass:
    if asked in ontology.by_id:
        return ontology.by_id[asked]
    found = [item for item in ontology.classes if item.name.casefold() == asked.casefold()]
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise TreeError(f"the ontology has several classes named {asked!r}: ask for one of the ids {ids}")
    if not found:
        near = get_close_matches(asked, [item.name for item in ontology.classes], n=3)
        hint = f"; near to it: {', '.join(map(repr, near))}" if near else ""
        raise TreeError(f"the ontology has no class with the id or name {asked!r}{hint}")
    return found[0]


def _why_left_out(item: OntologyClass, covered_by: str | None) -> str:
    if item.can_be_labelled:
        return f"{item.name} counts for {covered_by}, which has nothing else below it"
    return f"{item.name} is {' and '.join(sorted(item.restrictions))}, and nothing below it is in the tree"


def _with_descendants(ontology: Ontology, asked: list[OntologyClass]) -> list[OntologyClass]:
    """The classes and all below them by any parent, in file order."""
    reached: set[str] = set()
    pending = [item.id for item in asked]
    while pending:
        if (class_id := pending.pop()) not in reached:
            reached.add(class_id)
            pending.extend(ontology.by_id[class_id].child_ids)
    return [item for item in ontology.classes if item.id in reached]
