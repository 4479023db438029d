"""What the gate says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """What one part of the gate found.

    Attributes:
        name: of the part.
        passed: whether the candidate may pass as far as this part goes.
        words: why, for people.
        figures: numbers, tables and lists that it goes by, as JSON holds them.
    """

    name: str
    passed: bool
    words: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "name": self.name,
            "passed": self.passed,
            "words": self.words,
            "figures": dict(self.figures),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Finding:
        """Read what ``to_json`` wrote."""
        return cls(content["name"], content["passed"], content["words"], content["figures"])


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate may be served: only if every part says so."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every part passed."""
        return all(one.passed for one in self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, in words; empty when it may."""
        return tuple(one.words for one in self.findings if not one.passed)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the parts that refuse."""
        return tuple(one.name for one in self.findings if not one.passed)

    def finding(self, name: str) -> Finding:
        """What the part of that name found; KeyError if there is no such part."""
        for one in self.findings:
            if one.name == name:
                return one
        raise KeyError(name)
