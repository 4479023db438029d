"""Trees made from class paths: one expert for all leaves, or one for each class that has several below it.

A label may lie on an inner class: clips that are just ``animal`` beside others that are ``animal-bird``. Such a class
is no output of the expert that divides it, so that its clips train the experts above it only. Where a class has a
single child there is no such expert, and ``undivided`` says whether the class or its child is the output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from tidzam_platform.classifiers.tree.expert_spec import MIN_OUTPUTS, SELECTOR, ExpertSpec
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.errors import InvalidNameError, TreeError
from tidzam_platform.labels.class_paths import ancestors, parent, valid_class_path, with_ancestors


def flat(class_paths: Iterable[str]) -> TreeSpec:
    """One selector over the leaves: the classes that lie above no other of ``class_paths``; ascending.

    Raises:
        TreeError: a class path is not well formed, or there are fewer than two leaves.
    """
    paths = _valid(class_paths)
    inner = {above for path in paths for above in ancestors(path)}
    return TreeSpec((ExpertSpec(SELECTOR, _enough(sorted(paths - inner))),))


def by_parent(class_paths: Iterable[str], *, undivided: Collection[str] = ()) -> TreeSpec:
    """A selector over the top classes, and an expert for each class that has at least two below it.

    There is no expert of one class: a class with a single child hands the child to the level above. So
    ``human``, ``animal-bird-crow`` and ``animal-bird-robin`` give a selector over ``animal-bird`` and ``human`` and
    an expert ``animal-bird``. If all classes lie below one, the selector chooses between that one's children.

    Args:
        class_paths: labels.
        undivided: classes that are an output themselves where they have a single child. A child at the end of the
            tree then is no class of it and counts for them (``TreeSpec.covers``). Right for a class with many clips
            of its own, like ``frog`` beside a few clips of ``frog-croak``: nothing would tell the one from the other.

    Raises:
        TreeError: a class path is not well formed, or there are fewer than two leaves.
    """
    paths = _valid(class_paths)
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    for node in with_ancestors(paths):
        children[parent(node)].append(node)

    def only_line(node: str | None) -> list[str]:
        """The classes from ``node`` down to where the tree divides or ends, each the only child of the one before."""
        line = [] if node is None else [node]
        while len(children[node]) == 1:
            (node,) = children[node]
            line.append(node)
        return line

    top = only_line(None)
    experts = []
    pending = [(SELECTOR, children[top[-1]] if top else children[None])]
    for name, divided in pending:  # grows while it is walked: an expert's own experts follow it
        outputs = []
        for line in map(only_line, divided):
            outputs.append(next((node for node in line if node in undivided), line[-1]))
            if below := children[line[-1]]:
                pending.append((outputs[-1], below))
        experts.append(ExpertSpec(name, _enough(outputs or top[-1:])))
    return TreeSpec(tuple(experts))


def _valid(class_paths: Iterable[str]) -> set[str]:
    try:
        return {valid_class_path(path) for path in class_paths}
    except InvalidNameError as error:
        raise TreeError(str(error)) from error


def _enough(outputs: list[str]) -> tuple[str, ...]:
    if len(outputs) < MIN_OUTPUTS:
        raise TreeError(
            f"a tree chooses between at least {MIN_OUTPUTS} classes; there is {', '.join(outputs) or 'none'}: "
            "label clips of another class too, e.g. noise"
        )
    return tuple(outputs)
