"""Routes: which version of the model answers a request.

A route turns a key (a channel and the start of a window, say) into targets to try in turn. The same key always goes
the same way, in every process, so that a repeat is answered by the same side.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from serving.signature import CANARY, STABLE
from tidzam_platform.errors import SettingsError

Key = str | bytes

_SUM_TOLERANCE: Final = 1e-6
_POINT_BITS: Final = 53  # as many as a float holds: a point is never rounded up to 1


@dataclass(frozen=True)
class Target:
    """What the ``model_spec`` of a request asks for: a label, a version, or neither (the newest version)."""

    label: str = ""
    version: int | None = None

    def __str__(self) -> str:
        if self.label:
            return f"the label {self.label!r}"
        return "the newest version" if self.version is None else f"version {self.version}"


NEWEST: Final = Target()
_IN_SERVICE: Final = (Target(STABLE), NEWEST)


def point_of(key: Key) -> float:
    """Where a key lies in [0, 1): the first 53 bits of its BLAKE2b hash; text is hashed as UTF-8."""
    content = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> (64 - _POINT_BITS)) / (1 << _POINT_BITS)


@dataclass(frozen=True)
class Route:
    """Which version answers; made by its class methods.

    Attributes:
        choices: pairs of an upper bound and targets: a point below the bound, and not below the one before,
            goes to these, each tried when the one before it is not there.
        shadow_share: share of the points whose windows the canary hears too, without answering.
    """

    choices: tuple[tuple[float, tuple[Target, ...]], ...]
    shadow_share: float = 0.0

    @classmethod
    def in_service(cls) -> Self:
        """The version labelled ``stable`` where the server knows that label, else its newest. The default."""
        return cls(((1.0, _IN_SERVICE),))

    @classmethod
    def stable(cls) -> Self:
        """The version labelled ``stable``; an error where there is none."""
        return cls(((1.0, (Target(STABLE),)),))

    @classmethod
    def canary(cls) -> Self:
        """The version labelled ``canary``; an error where there is none."""
        return cls(((1.0, (Target(CANARY),)),))

    @classmethod
    def newest(cls) -> Self:
        """The newest version that the server has loaded, whatever the labels say."""
        return cls(((1.0, (NEWEST,)),))

    @classmethod
    def version(cls, number: int) -> Self:
        """One version and no other.

        Raises:
            SettingsError: versions count from 1.
        """
        if number < 1:
            raise SettingsError(f"versions count from 1, not {number}")
        return cls(((1.0, (Target(version=number),)),))

    @classmethod
    def share(cls, shares: Mapping[str, float]) -> Self:
        """Shares of the keys to several labels, e.g. ``{"stable": 0.9, "canary": 0.1}``.

        ``stable`` is what ``in_service`` says. Any other label that is not there, or does not answer, leaves its share
        to that. A share that grows keeps the keys that it had, as long as the order of the labels stays.

        Raises:
            SettingsError: a label is empty, a share is not in [0, 1], or they do not add up to 1.
        """
        for label, share in shares.items():
            if not label:
                raise SettingsError("a share of a route goes to a label; this label is empty")
            _require_share(share, f"the share of {label!r}")
        if abs(math.fsum(shares.values()) - 1) > _SUM_TOLERANCE:
            raise SettingsError(f"the shares of a route add up to 1; these do not: {dict(shares)}")
        present = [(label, share) for label, share in shares.items() if share > 0]
        bounds = [math.fsum(share for _, share in present[: count + 1]) for count in range(len(present))]
        bounds[-1] = 1.0
        return cls(
            tuple(
                (bound, _IN_SERVICE if label == STABLE else (Target(label), *_IN_SERVICE))
                for bound, (label, _) in zip(bounds, present, strict=True)
            )
        )

    @classmethod
    def shadow(cls, share: float) -> Self:
        """``in_service`` answers; of this share of the keys the canary hears the same windows in the background.

        Raises:
            SettingsError: the share is not in [0, 1].
        """
        _require_share(share, "the share of a shadow")
        return cls(((1.0, _IN_SERVICE),), share)

    @property
    def needs_key(self) -> bool:
        """Whether it matters what the key is."""
        return len(self.choices) > 1 or 0 < self.shadow_share < 1

    def targets(self, point: float) -> tuple[Target, ...]:
        """What to ask for at a point in [0, 1), in this order."""
        return next(targets for bound, targets in self.choices if point < bound)

    def is_shadowed(self, point: float) -> bool:
        """Whether the canary hears this point's windows too."""
        return point < self.shadow_share


def _require_share(share: float, what: str) -> None:
    if not 0 <= share <= 1:
        raise SettingsError(f"{what} is {share}; a share is a number from 0 to 1")
