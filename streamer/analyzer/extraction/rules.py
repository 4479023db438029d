"""Rules as a person writes them on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from tidzam_platform.clips.preroll import require_preroll
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clips.rules_store import StoredRule
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import RuleError


def extraction_rules(texts: Sequence[str], channels: Sequence[str], preroll_mb: int) -> list[StoredRule]:
    """Rules that no catalog knows: their numbers are -1, -2 and so on.

    Args:
        texts: ``CLASSES`` or ``CLASSES:RATE`` each; classes with commas between them, a rate from 0 to 1 or ``auto``.
        channels: patterns of the channels.
        preroll_mb: the memory for the audio before a detection.

    Raises:
        RuleError: one of them makes no sense, or needs more memory.
    """
    rules = []
    for number, text in enumerate(texts, start=1):
        classes, colon, rate = text.partition(":")
        if not classes.strip(" ,") or (colon and not rate.strip()):
            raise RuleError(
                f"--extract {text[:80]!r} makes no sense: write CLASSES or CLASSES:RATE, such as birds,frogs:auto "
                "or unknown:0.05; * is all classes"
            )
        spec = RecorderRuleSpec.parse({"classes": classes, "rate": rate or None, "channels": list(channels)})
        require_preroll(spec, preroll_mb)
        rules.append(StoredRule(-number, spec, "analyze --extract", utc_now(), None))
    return rules
