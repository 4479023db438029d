"""How much audio must be in memory so that a clip can begin before what it is made of was heard."""

from __future__ import annotations

from typing import Final

from tidzam_platform.clips.recording_clips import CLIP_RATE_HZ
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.errors import RuleError

SPARE_S: Final = 5.0  # the model answers late, and then the rules are looked at
_SAMPLE_BYTES: Final = 2
_MB: Final = 1_000_000


def preroll_s(spec: RecorderRuleSpec) -> float:
    """Seconds of each of its channels that are kept in memory; 0 for a rule that keeps nothing."""
    return 0.0 if spec.forbid else spec.length_s + SPARE_S


def require_preroll(spec: RecorderRuleSpec, preroll_mb: int) -> None:
    """Refuse a rule that needs more memory than there is, by the channels that it names one by one.

    How many channels a pattern stands for is known to the analyzer alone, which refuses more.

    Raises:
        RuleError: it needs more than ``preroll_mb``.
    """
    named = sum(not any(wild in pattern for wild in "*?") for pattern in spec.channels)
    needed_mb = max(1, named) * preroll_s(spec) * CLIP_RATE_HZ * _SAMPLE_BYTES / _MB
    if needed_mb > preroll_mb:
        raise RuleError(
            f"the rule needs {needed_mb:.0f} MB of memory for the audio before a detection, and clips.preroll_mb is "
            f"{preroll_mb}: name fewer channels, make the clips shorter, or raise the setting"
        )
