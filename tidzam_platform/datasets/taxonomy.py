"""The taxonomy by version: what became of classes that were renamed, merged or split; nothing here is written anywhere.

Annotations, frozen sets and generations keep the names that they were made with. Whoever reads them asks the taxonomy
for today's names. A change is a mapping from class paths to the class paths that they became; changes follow one
another, and all of them together are one mapping again (:func:`compose`).

A class that was split became several, and a name alone does not say which: what else was said of the same clip does
(:meth:`Taxonomy.settle`), else the deepest class above all of them, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tidzam_platform.errors import TaxonomyError
from tidzam_platform.labels.class_paths import ancestors, is_within, valid_label

ClassMapping = Mapping[str, tuple[str, ...]]
"""Class path: the class paths that it became, at least one; classes that are not in it stay what they are."""


@dataclass(frozen=True)
class Taxonomy:
    """What all changes up to ``version`` did to classes; version 0 changed nothing.

    Attributes:
        version: how many changes there were.
        becomes: all changes as one mapping.
    """

    version: int = 0
    becomes: ClassMapping = field(default_factory=dict)

    def targets(self, class_path: str) -> tuple[str, ...]:
        """What the class is today; several if it was split."""
        return self.becomes.get(class_path, (class_path,))

    def name(self, class_path: str) -> str:
        """Today's name of a class; of one that was split its own."""
        found = self.targets(class_path)
        return found[0] if len(found) == 1 else class_path

    def settle(self, class_path: str, others: Iterable[str] = ()) -> str | None:
        """The one class that a label means today.

        Args:
            class_path: as the label has it.
            others: what else is said of the same clip, in today's names or older ones.

        Returns:
            For a class that was split, the one of its parts that ``others`` name; else the deepest class above all
            parts; None if there is neither: a person has to say which.
        """
        parts = self.targets(class_path)
        if len(parts) == 1:
            return parts[0]
        said = {name for other in others if other != class_path for name in self.targets(other)}
        named = [part for part in parts if any(is_within(name, part) for name in said)]
        if len(named) == 1:
            return named[0]
        return _common_ancestor(parts)

    @cached_property
    def _sources(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for source, targets in sorted(self.becomes.items()):
            for target in targets:
                if target != source:
                    found.setdefault(target, []).append(source)
        return {target: tuple(sources) for target, sources in found.items()}

    def sources(self, class_path: str) -> tuple[str, ...]:
        """Older names that became this class, or this among others; ascending."""
        return self._sources.get(class_path, ())

    def all_names(self, class_path: str) -> tuple[str, ...]:
        """The class by every name that it has or had, and what it was merged with or split into; itself first."""
        today = self.targets(class_path)
        return tuple(
            dict.fromkeys((class_path, *today, *(name for target in today for name in self.sources(target))))
        )

    def changed(self, change: ClassMapping) -> Taxonomy:
        """The taxonomy after one more change.

        Raises:
            TaxonomyError: the change makes no sense, or classes would go round in a circle.
        """
        valid_change(change)
        after = compose(self.becomes, change)
        for source, targets in change.items():
            for target in targets:
                if (found := after.get(target, (target,))) != (target,):
                    raise TaxonomyError(
                        f"{source!r} cannot become {target!r}: that class became {' and '.join(map(repr, found))} "
                        "itself, so labels would go round in a circle; choose a name that stands for a class today"
                    )
        return Taxonomy(self.version + 1, after)


def compose(first: ClassMapping, then: ClassMapping) -> dict[str, tuple[str, ...]]:
    """One mapping that does what ``first`` and then ``then`` do; what comes back to itself is left out."""
    composed: dict[str, tuple[str, ...]] = {}
    for source in {**first, **then}:
        targets = tuple(
            dict.fromkeys(
                final for middle in first.get(source, (source,)) for final in then.get(middle, (middle,))
            )
        )
        if targets != (source,):
            composed[source] = targets
    return composed


def valid_change(change: ClassMapping) -> None:
    """TaxonomyError if a change is empty, maps a class to itself or twice to one; InvalidNameError for its names."""
    if not change:
        raise TaxonomyError("the change is empty: say which class becomes which")
    for source, targets in change.items():
        for path in (source, *targets):
            valid_label(path)
        if not targets or len(set(targets)) < len(targets):
            raise TaxonomyError(f"{source!r} becomes at least one class, and each only once")
        if source in targets:
            raise TaxonomyError(
                f"{source!r} becomes itself"
                + (" and others: give what is left of it a name of its own" if len(targets) > 1 else "")
            )


def comparison_names(
    one: Iterable[str], other: Iterable[str], taxonomy: Taxonomy | None = None
) -> dict[str, str]:
    """Names by which the answers of two generations can be compared.

    Where one knows a class and the other only a class above it, both are compared by the upper one; where one knows a
    class that was split since and the other its parts, by the whole.

    Args:
        one, other: the leaf classes of each, as it knows them.
        taxonomy: of today.

    Returns:
        Each class of both, and its name of today, by the name to compare it by.
    """
    taxonomy = taxonomy or Taxonomy()
    leaves = sorted({*one, *other})
    today = sorted({target for path in leaves for target in taxonomy.targets(path)})
    together: dict[str, set[str]] = {path: {path} for path in today}  # names that cannot be told apart

    def join(paths: Iterable[str]) -> None:
        whole = set().union(*(together[path] for path in paths))
        together.update(dict.fromkeys(whole, whole))

    for path in leaves:
        join(taxonomy.targets(path))
        if len(taxonomy.targets(path)) == 1:  # a leaf of one that lies above leaves of the other
            top = taxonomy.name(path)
            join(lower for lower in today if is_within(lower, top))
    names: dict[str, str] = {}
    wholes = [name for name in leaves if len(taxonomy.targets(name)) > 1]
    for path in today:
        roots = [name for name in together[path] if not together[path].intersection(ancestors(name))]
        names[path] = (
            roots[0]
            if len(roots) == 1
            else min(name for name in wholes if not together[path].isdisjoint(taxonomy.targets(name)))
        )
    return {**names, **{path: names[taxonomy.targets(path)[0]] for path in leaves}}


def _common_ancestor(paths: Iterable[str]) -> str | None:
    first, *rest = paths
    for candidate in reversed(ancestors(first)):
        if all(is_within(path, candidate) for path in rest):
            return candidate
    return None
