"""What a token is good for."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each role may do what the ones before it may.

    Attributes:
        LISTEN: look and listen.
        LABEL: keep recordings for labelling, and label them.
        OPERATE: add, remove and seek sources, change the mixer.
        OWN: decide which generation serves, and give tokens.
    """

    LISTEN = "listen"
    LABEL = "label"
    OPERATE = "operate"
    OWN = "own"

    def covers(self, wanted: Role) -> bool:
        """Whether who has this role may do what ``wanted`` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(wanted)
