"""The tree as a small TOML file that people write; the form is told in ``docs/tree.md``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

from tidzam_platform.classifiers.tree.activation import Labels
from tidzam_platform.classifiers.tree.expert_spec import SELECTOR, ExpertSpec, expert_from_table
from tidzam_platform.classifiers.tree.spec import TreeSpec
from tidzam_platform.errors import TreeError

_CLASSES: Final = "classes"
_LABELS: Final = "labels"
_DEFAULTS: Final = {"trunk": "shared", "architecture": None, "head": "dense"}


def read_tree(path: Path, labels: Labels = "single") -> TreeSpec:
    """The tree that a TOML file describes; ``labels`` is its kind where the file does not say.

    Raises:
        TreeError: the file cannot be read, is no TOML in UTF-8, or describes no tree; the message says where.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise TreeError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TreeError(f"{path} is no text in UTF-8: {error}") from error
    return tree_from_toml(text, place=str(path), labels=labels)


def tree_from_toml(text: str, *, place: str = "tree", labels: Labels = "single") -> TreeSpec:
    """The tree that TOML text describes; experts may stand in any order.

    Args:
        text: TOML.
        place: what messages call the text, e.g. its file.
        labels: kind of the tree where the text does not say.

    Raises:
        TreeError: it is no TOML, a key is unknown, a value has the wrong type, or the experts do not fit together.
    """
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TreeError(f"{place} is no TOML: {error or type(error).__name__}") from error
    for key in values:
        if key not in ("experts", _LABELS):
            raise TreeError(f"{place}: {key} is not known; write a table [experts.NAME] for each expert")
    labels = values.get(_LABELS, labels)
    if labels not in get_args(Labels):
        raise TreeError(f'{place}: {_LABELS} is {labels!r}; write "single" or "multi"')
    tables = values.get("experts")
    if not isinstance(tables, dict) or not tables:
        raise TreeError(f"{place} has no experts; write a table [experts.{SELECTOR}] with classes = [...]")
    experts = []
    for name, table in tables.items():
        where = f"{place}: experts.{name}"
        if not isinstance(table, dict):
            raise TreeError(
                f"{where} is {table!r}; write it as a table [experts.{name}] with classes = [...]"
            )
        experts.append(expert_from_table(name, table, where, outputs_key=_CLASSES))
    try:
        return TreeSpec(tuple(_from_the_top(experts)), labels)
    except TreeError as error:
        raise TreeError(f"{place}: {error}") from error


def tree_to_toml(tree: TreeSpec) -> str:
    """TOML text that ``tree_from_toml`` reads back to the same tree; what is default is left out."""
    tables = [] if tree.labels == "single" else [f'{_LABELS} = "{tree.labels}"\n']
    for expert in tree.experts:
        # Names hold letters, digits, '_', '.' and '-' only, so that quotes are all the escaping there is.
        lines = [f"[experts.{expert.name}]", f"{_CLASSES} = ["]
        lines += [f'    "{output}",' for output in expert.outputs]
        lines.append("]")
        lines += [
            f'{key} = "{value}"'
            for key, default in _DEFAULTS.items()
            if (value := getattr(expert, key)) != default
        ]
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def _from_the_top(experts: Iterable[ExpertSpec]) -> list[ExpertSpec]:
    """The selector first and every expert after the one that it divides a class of, else in the order given.

    An expert that divides no class comes last; to complain of it is up to the tree.
    """
    ordered: list[ExpertSpec] = []
    pending, outputs = list(experts), {SELECTOR}
    while ready := next((expert for expert in pending if expert.name in outputs), None):
        pending.remove(ready)
        ordered.append(ready)
        outputs.update(ready.outputs)
    return ordered + pending
