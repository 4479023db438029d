"""Rules of the recorder and classes that changed: a rule means its classes by every name that they have or had.

The generation that serves may still answer by an old name, or already by a new one: a rule on ``birds`` that became
``avian`` means both, and one on a class that was merged or split means the whole and its parts. A rule that forbids
so never forgets what it forbids.
"""

from __future__ import annotations

from typing import Any

from tidzam_platform.catalog import Catalog
from tidzam_platform.clips.rules import EVERYTHING, RecorderRuleSpec
from tidzam_platform.datasets.taxonomy import Taxonomy


def other_names(spec: RecorderRuleSpec, taxonomy: Taxonomy) -> tuple[str, ...]:
    """Names that the classes of a rule have beside those that it says."""
    return tuple(
        dict.fromkeys(
            name
            for path in spec.classes
            if path != EVERYTHING
            for name in taxonomy.all_names(path)
            if name not in spec.classes
        )
    )


def rules_that_follow(catalog: Catalog) -> list[dict[str, Any]]:
    """The standing rules that mean more names than they say: ``id`` and ``also``."""
    from tidzam_platform.clips.rules_store import read_rules  # it reads rules by this module

    return [{"id": rule.id, "also": list(rule.also)} for rule in read_rules(catalog).readable if rule.also]
