"""Clips cut out of live audio: the rules that say which, what is inside their files, store and catalog (docs/clips.md).

::

    rule = add_rule(catalog, RecorderRuleSpec.parse({"classes": "birds", "rate": "auto", "at_least": 100}), "ann")
    list_rules(catalog); remove_rule(catalog, rule.id)
    find_clips(catalog, ClipQuery(classes=("birds",), is_labelled=False)); clips_per_class(catalog)
"""

from tidzam_platform.clips.auto_rate import auto_rate
from tidzam_platform.clips.counting import clips_per_class
from tidzam_platform.clips.listing import ClipPage, ClipQuery, FoundClip, find_clip, find_clips
from tidzam_platform.clips.metadata import ClipMetadata
from tidzam_platform.clips.original_rules import from_original, to_original
from tidzam_platform.clips.reading_rules import UnreadableRule
from tidzam_platform.clips.recording_clips import record_clip, recover_clips
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clips.rules_store import (
    RulesRead,
    StoredRule,
    add_rule,
    list_rules,
    read_rules,
    remove_rule,
)
from tidzam_platform.clips.schedule import Schedule

__all__ = [
    "ClipMetadata",
    "ClipPage",
    "ClipQuery",
    "FoundClip",
    "RecorderRuleSpec",
    "RulesRead",
    "Schedule",
    "StoredRule",
    "UnreadableRule",
    "add_rule",
    "auto_rate",
    "clips_per_class",
    "find_clip",
    "find_clips",
    "from_original",
    "list_rules",
    "read_rules",
    "record_clip",
    "recover_clips",
    "remove_rule",
    "to_original",
]
