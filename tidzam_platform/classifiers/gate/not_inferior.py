"""The rule by which two generations are compared on the same test items.

The figure is the difference of their macro-F1, candidate less rival, with a paired bootstrap over groups: both are
drawn with the same groups, as clips of one group are no independent witnesses. ``low`` is the bound that the true
difference lies above with 95 % confidence (one-sided).

- **The set has power** if it could show that a candidate of equal worth is not inferior: if the difference is known
  to within the margin (``difference - low <= margin``). Then ``low`` must not lie below ``-margin``.
- **It has none**: with few clips ``low`` lies far below for every candidate, and a rule that goes by it would refuse
  all that is not a clone. Then the difference itself must not lie below ``-margin``. That refuses candidates of equal
  worth by chance, and lets slightly worse ones pass by chance; the words say so, and more test groups mend it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tidzam_platform.classifiers.evaluation.bootstrap import UnitCounts, count_difference

ONE_SIDED: Final = 0.95
_TWO_SIDED: Final = 1 - 2 * (1 - ONE_SIDED)  # whose lower end is the one-sided bound
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Two generations on the same items.

    Attributes:
        candidate, rival: macro-F1 of each.
        low: bound of the difference, see above.
        margin: how far below the rival is not inferior.
        units: groups that were drawn.
    """

    candidate: float
    rival: float
    low: float
    margin: float
    units: int

    @property
    def difference(self) -> float:
        """Candidate less rival."""
        return self.candidate - self.rival

    @property
    def has_power(self) -> bool:
        """Whether the difference is known to within the margin."""
        return self.difference - self.low <= self.margin + _ROUNDING

    @property
    def passed(self) -> bool:
        """Whether the candidate is not inferior by the rule."""
        return (self.low if self.has_power else self.difference) >= -self.margin - _ROUNDING

    def words(self, whose: str, what: str = "macro-F1") -> str:
        """What was found, beside the rival that ``whose`` names."""
        said = f"{what} {self.candidate:.3f} on the classes that both know"
        if not self.passed and self.has_power:
            return (
                f"{said} is not shown to be at most {self.margin:.3f} below the {self.rival:.3f} of {whose}: it may "
                f"lie {-self.low:.3f} below (95 % confidence, {self.units} groups)"
            )
        if not self.passed:
            return (
                f"{said} is more than {self.margin:.3f} below the {self.rival:.3f} of {whose} "
                f"(the figures themselves: {self.units} groups are too few for a bound within the margin)"
            )
        how = (
            f"at least {self.low:+.3f} with 95 % confidence"
            if self.has_power
            else f"the figures themselves: {self.units} groups are too few for a bound within the margin"
        )
        return f"{said} beside the {self.rival:.3f} of {whose}: {self.difference:+.3f} ({how})"

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "candidate": self.candidate,
            "rival": self.rival,
            "difference": self.difference,
            "low": self.low,
            "margin": self.margin,
            "has_power": self.has_power,
            "groups": self.units,
            "passed": self.passed,
        }


def compare_counts(candidate: UnitCounts, rival: UnitCounts, margin: float) -> Comparison:
    """Compare counts of the same units and classes."""
    interval = count_difference(candidate, rival, confidence=_TWO_SIDED)
    return Comparison(candidate.estimate, rival.estimate, interval.low, margin, len(candidate.right))
