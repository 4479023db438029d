"""Which tree a generation is made of: what the settings say, for the classes that there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidzam_platform.classifiers.tree.building import by_parent, flat
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.classifiers.tree.toml_reader import read_tree
from tidzam_platform.settings import TreeSettings


def tree_of(class_paths: Iterable[str], settings: TreeSettings) -> TreeSpec:
    """The tree of the file that the settings name, else the one that the class paths draw.

    Raises:
        TreeError: the file cannot be read or describes no tree.
    """
    if settings.file is not None:
        return read_tree(settings.file, settings.labels)
    paths = sorted(class_paths)
    tree = flat(paths) if settings.shape == "flat" else by_parent(paths, undivided=paths)
    return replace(tree, labels=settings.labels)
