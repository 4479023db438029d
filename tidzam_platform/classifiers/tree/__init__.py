"""The tree of experts: what it is, how it is made and read, how its scores are combined."""

from tidzam_platform.classifiers.tree.scores import node_scores
from tidzam_platform.classifiers.tree.spec import SELECTOR, ExpertSpec, TreeSpec
from tidzam_platform.classifiers.tree.toml_reader import read_tree, tree_from_toml, tree_to_toml

__all__ = [
    "SELECTOR",
    "ExpertSpec",
    "TreeSpec",
    "node_scores",
    "read_tree",
    "tree_from_toml",
    "tree_to_toml",
]
