"""Labels of clips by today's classes; what they say stays where it is, only the reading changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidzam_platform.catalog.tables import Annotation, Clip, Group
from tidzam_platform.datasets.taxonomy import Taxonomy


@dataclass(frozen=True)
class Label:
    """A standing label of a clip."""

    annotation: Annotation
    clip: Clip
    group: Group


_Statements = dict[tuple[object, ...], list[tuple[Label, str, str]]]
"""By what is said of a clip: the labels that say it, with class and verdict of today."""


def todays_labels(labels: Sequence[Label], taxonomy: Taxonomy) -> list[tuple[Label, str, str]]:
    """Labels with their class and verdict of today; what became the same statement of a clip stands once.

    - ``present`` of a class that was split is of the part that another label of the clip names, else of the class above
      all parts, else of nothing.
    - ``absent`` of a class that was split is of every part. Of a class that was merged it says nothing of the whole,
      unless all that it was made of is said to be absent.
    - Where both meet in one class because it was changed, ``present`` counts.
    """
    said: dict[int, list[str]] = {}
    denied: dict[int, set[str]] = {}
    for label in labels:
        if label.annotation.verdict == "present":
            said.setdefault(label.clip.id, []).append(label.annotation.class_path)
        else:
            denied.setdefault(label.clip.id, set()).add(label.annotation.class_path)
    found: _Statements = {}
    heard: set[tuple[int, str]] = set()
    for label in labels:
        if label.annotation.verdict == "present":
            path = taxonomy.settle(label.annotation.class_path, said[label.clip.id])
            if path is not None:
                heard.add((label.clip.id, path))
                _add(found, label, path)
    for label in labels:
        if label.annotation.verdict == "present":
            continue
        for path in taxonomy.targets(label.annotation.class_path):
            is_whole = path == label.annotation.class_path or denied[label.clip.id].issuperset(
                taxonomy.sources(path)
            )
            is_changed = path != label.annotation.class_path or taxonomy.sources(path)
            if is_whole and not (is_changed and (label.clip.id, path) in heard):
                _add(found, label, path)
    return [one for same in found.values() for one in same]


def _add(found: _Statements, label: Label, path: str) -> None:
    """One more label; what was changed to say the same as another says nothing more."""
    said = label.annotation
    same = found.setdefault((label.clip.id, path, said.verdict, said.start_s, said.end_s), [])
    if said.class_path == path:
        same[:] = [one for one in same if one[0].annotation.class_path == path]
    elif same:
        return
    same.append((label, path, said.verdict))
