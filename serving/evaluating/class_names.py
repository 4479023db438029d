"""From the names that people write to the classes of a model, and from answers to the classes of the data."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from serving.signature import ModelDescription
from tidzam_platform.labels.class_paths import SEPARATOR, ancestors, is_within


@dataclass(frozen=True)
class ClassTree:
    """The classes of a model.

    Attributes:
        paths: in the order of their scores.
        leaves: indices of the classes that are no other's parent, ascending.
    """

    paths: tuple[str, ...]
    leaves: tuple[int, ...]

    @classmethod
    def of(cls, description: ModelDescription) -> ClassTree:
        """The tree that a model describes."""
        parents = {known.parent for known in description.classes}
        paths = tuple(known.path for known in description.classes)
        return cls(paths, tuple(index for index, path in enumerate(paths) if path not in parents))

    def find(self, label: str) -> tuple[str, ...]:
        """The classes that ``label`` may mean: the class of that path, else all whose path ends with it.

        Case and the space between words do not count: ``American Crow`` finds ``birds-american_crow``.
        """
        wanted = "_".join(label.lower().split())
        if wanted in self.paths:
            return (wanted,)
        return tuple(path for path in self.paths if path.endswith(SEPARATOR + wanted))


@dataclass(frozen=True)
class LabelMap:
    """What the labels of some data mean to a model.

    Attributes:
        known: label -> class of the model.
        unknown: labels that no class of the model goes by.
        ambiguous: label -> the classes that it may mean.
    """

    known: dict[str, str]
    unknown: tuple[str, ...]
    ambiguous: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, labels: Iterable[str], tree: ClassTree) -> LabelMap:
        """Look each label up in the tree."""
        found = {label: tree.find(label) for label in sorted(set(labels))}
        return cls(
            known={label: paths[0] for label, paths in found.items() if len(paths) == 1},
            unknown=tuple(label for label, paths in found.items() if not paths),
            ambiguous={label: paths for label, paths in found.items() if len(paths) > 1},
        )

    def class_of(self, label: str) -> str:
        """The class that the label means; itself if the model does not know it, so that no answer can be right."""
        return self.known.get(label, label)


def as_named_by(names: AbstractSet[str], answer: str, truth: tuple[str, ...] = ()) -> str:
    """The class by which data that names ``names`` goes for ``answer``.

    Where data says ``birds`` and no more, ``birds-american_crow`` is right: an answer below a truth counts as that
    truth, another one that the data does not name as the nearest class above it that the data names, else as itself.
    """
    for path in truth:
        if is_within(answer, path):
            return path
    return next((path for path in (answer, *reversed(ancestors(answer))) if path in names), answer)
