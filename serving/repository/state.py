"""Labels, retired versions and history: one value, and what follows from it. Nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from serving.repository.change import Change
from serving.signature import STABLE


@dataclass(frozen=True)
class State:
    """What the model repository knows beside the versions themselves.

    Attributes:
        labels: the change that gave each label to the version that has it.
        retired: the change that retired each retired version; for ever.
        former: versions that were stable before, in the order in which they are gone back to from the end; none
            twice, none from which a rollback led away.
        newest_introduced: no version up to this one gets a label from the gate any more.
        history: changes, the oldest first; the newest 1000.
    """

    labels: Mapping[str, Change] = field(default_factory=dict)
    retired: Mapping[int, Change] = field(default_factory=dict)
    former: tuple[int, ...] = ()
    newest_introduced: int = 0
    history: tuple[Change, ...] = ()

    def version_of(self, label: str) -> int | None:
        """The version that has ``label``; None if none has."""
        change = self.labels.get(label)
        return None if change is None else change.version

    def label_of(self, version: int) -> str | None:
        """The label that ``version`` has; None if it has none."""
        return next((label for label in self.labels if self.version_of(label) == version), None)

    def rollback_target(self, available: Collection[int]) -> int | None:
        """Where ``rollback`` would go, of the versions that are ``available``; None if nowhere."""
        return next(
            (version for version in reversed(self.former) if version in available and self._is_fit(version)),
            None,
        )

    def in_service(self, available: Collection[int]) -> int | None:
        """The stable version; before the first promotion the newest that is not retired."""
        stable = self.version_of(STABLE)
        return stable or max(filter(self._is_fit, available), default=None)

    def to_serve(self, available: Collection[int]) -> list[int] | None:
        """Versions that a model server holds, ascending; None: whichever is newest, also of those to come.

        The version that rollback would go to stays loaded: going back then takes no time, and a server that moves a
        label only to a version which it has loaded (as TensorFlow Serving does) has the old one until then. It must
        be older than the stable one, else a client that names no label would get it.
        """
        stable = self.version_of(STABLE)
        if stable is None:
            newest = max(available, default=None)
            if newest is None or self._is_fit(newest):
                return None
            fit = self.in_service(available)
            return [] if fit is None else [fit]
        versions = {change.version for change in self.labels.values()}
        target = self.rollback_target(available)
        return sorted(versions | ({target} if target is not None and target < stable else set()))

    def _is_fit(self, version: int) -> bool:
        return version not in self.retired
