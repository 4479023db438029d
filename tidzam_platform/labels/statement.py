"""What somebody says of a clip, a detection or a recording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

from tidzam_platform.errors import InvalidNameError, LabelError
from tidzam_platform.labels.class_paths import valid_label

Verdict = Literal["present", "absent", "unsure"]
VERDICTS: Final = get_args(Verdict)
MAX_HZ: Final = 1_000_000.0

Stretch = tuple[float | None, float | None]
"""Start and end, s, within what is labelled; (None, None): all of it."""


@dataclass(frozen=True)
class Statement:
    """A class is heard (``present``), is not (``absent``), or nobody can say (``unsure``).

    Attributes:
        class_path: the class; not ``unknown`` or ``no_signal``, which are answers of the decision.
        verdict: see above.
        start_s: seconds from the first sample of the clip or recording; None with ``end_s`` None: all of it.
        end_s: greater than ``start_s``.
        low_hz: lower edge of the frequencies that are meant; None: not told.
        high_hz: upper edge, greater than ``low_hz``.

    Raises:
        LabelError: a verdict, time or frequency makes no sense.
        InvalidNameError: the class path is not well formed, or no label.
    """

    class_path: str
    verdict: Verdict = "present"
    start_s: float | None = None
    end_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None

    def __post_init__(self) -> None:
        valid_label(self.class_path)
        if self.verdict not in VERDICTS:
            raise LabelError(f"{self.verdict!r} is no verdict: write {', '.join(VERDICTS)}")
        if (self.start_s is None) != (self.end_s is None):
            raise LabelError(
                f"{self.class_path!r} has a start or an end without the other: give both or none"
            )
        if self.start_s is not None and self.end_s is not None:
            if not 0 <= self.start_s < math.inf or not math.isfinite(self.end_s):
                raise LabelError(
                    f"{self.class_path!r} cannot last from {self.start_s} to {self.end_s} s: times count from 0"
                )
            if self.end_s <= self.start_s:
                raise LabelError(
                    f"{self.class_path!r} ends at {self.end_s} s, not after its start at {self.start_s} s: "
                    "a label needs a length"
                )
        low, high = self.low_hz, self.high_hz
        if not all(edge is None or 0 <= edge <= MAX_HZ for edge in (low, high)):
            raise LabelError(f"{self.class_path!r}: frequencies lie between 0 and {MAX_HZ:.0f} Hz")
        if low is not None and high is not None and high <= low:
            raise LabelError(f"{self.class_path!r}: the upper frequency {high} Hz is not above {low} Hz")

    @property
    def stretch(self) -> Stretch:
        """Which part it speaks of."""
        return self.start_s, self.end_s


def valid_annotator(name: str) -> str:
    """Return ``name`` if it can say who labels, else raise InvalidNameError."""
    if not name.strip() or len(name) > 255 or not name.isprintable():
        raise InvalidNameError(f"{name!r} cannot name an annotator: write 1 to 255 visible characters")
    return name
