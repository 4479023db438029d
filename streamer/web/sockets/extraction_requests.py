"""The original's older event ``SampleExtractionRules``: one rule a channel, all of them set at once."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from serving.gateway.refusals import bad_request
from streamer.web.core import WebCore
from streamer.web.sockets.clients import Client
from streamer.web.sockets.rule_requests import RuleReply, as_written, commands_of, database_info
from tidzam_platform.access import Role
from tidzam_platform.clips import RecorderRuleSpec, StoredRule, from_original, list_rules, read_rules
from tidzam_platform.clips.preroll import require_preroll
from tidzam_platform.clips.reading_rules import UnreadableRule
from tidzam_platform.clips.rules_store import replace_rules
from tidzam_platform.errors import RuleError

EVENT: Final = "SampleExtractionRules"
_EMITTER: Final = "SampleExtractor"
_COMMANDS: Final = ("set", "rules", "get")
_MADE_HERE: Final = (
    f" ({EVENT})"  # ends the name of who made them, so that setting them anew leaves all others alone
)
_CHANNEL: Final = re.compile(r"(?P<source>.+)[:-]out_(?P<number>[0-9]+)")
_SETTINGS: Final = ("classes", "rate", "length", "object_filter")


class ExtractionRules:
    """Carries out ``{"get": "rules" | "database_info" | "extracted_count"}`` and ``{"set": "rules", "rules": {...}}``.

    The rules that are set here take the place of those that were set here before, and of no others.
    """

    def __init__(self, core: WebCore) -> None:
        self._core = core
        self._setting = threading.Lock()  # who sets them sees what is there first

    def carry_out(self, client: Client, request: Any) -> RuleReply:
        """Do what a request says; raises as ``RecorderRules.carry_out``."""
        asked = commands_of(request, _COMMANDS)
        wanted, is_set = asked.get("get"), asked.get("set")
        self._core.gatekeeper.require(client.caller, Role.OPERATE if "set" in asked else Role.LISTEN)
        answers = {
            "rules": lambda: {_key(rule): _told(rule) for rule in self._standing()},
            "database_info": lambda: database_info(self._core),
            "extracted_count": self._counts,
        }
        if ("set" in asked and is_set != "rules") or (
            "get" in asked and not (isinstance(wanted, str) and wanted in answers)
        ):
            raise bad_request(
                f'say {{"set": "rules", "rules": {{...}}}}, or {{"get": {" | ".join(answers)}}}'
            )
        if is_set:
            with self._setting:
                self._set(client, asked.get("rules"))
        told = [] if wanted is None else [{wanted: answers[wanted](), "emitter": _EMITTER}]
        return RuleReply(told, told[0] if told else {"set": "rules"})

    def _set(self, client: Client, rules: Any) -> None:
        if not isinstance(rules, dict) or not all(isinstance(rule, dict) for rule in rules.values()):
            raise bad_request('rules are {CHANNEL: {"classes", "rate", "length", "object_filter"}}')
        wanted = list(_specifications(rules))
        for spec in wanted:
            require_preroll(spec, self._core.settings.clips.preroll_mb)
        catalog = self._core.library.catalog
        standing = read_rules(catalog)
        ours = {rule.id: as_written(rule) for rule in standing.readable if _is_made_here(rule)}
        new = [spec for spec in wanted if spec not in ours.values()]
        gone = [number for number, spec in ours.items() if spec not in wanted]
        gone += [rule.id for rule in standing.unreadable if _is_made_here(rule)]
        replace_rules(catalog, gone, new, f"{client.caller.name}{_MADE_HERE}")

    def _standing(self, *, removed: bool = False) -> list[StoredRule]:
        rules = list_rules(self._core.library.catalog, removed=removed)
        return [rule for rule in rules if _is_made_here(rule)]

    def _counts(self) -> dict[str, int]:
        """Clips by channel, of the rules that were set here at any time."""
        counts = Counter[str]()
        for rule in self._standing(removed=True):
            counts[_key(rule)] += rule.clips
        return dict(counts)


def _specifications(rules: Mapping[str, Mapping[str, Any]]) -> list[RecorderRuleSpec]:
    """A rule for each channel; where the original did nothing, none.

    Pages of the original send a source beside its channels, and mean the channels.
    """
    of_channels = {match["source"] for name in rules if (match := _CHANNEL.fullmatch(name))}
    found: dict[str, RecorderRuleSpec] = {}
    for name, rule in rules.items():
        others = sorted(set(rule) - set(_SETTINGS))
        if others:
            raise RuleError(
                f"{name[:80]}: a rule has no key {others[0][:80]!r}; it has {', '.join(_SETTINGS)}"
            )
        if name in of_channels or rule.get("classes") in (None, "", []):
            continue
        match = _CHANNEL.fullmatch(name)
        channel = f"{match['source']}:out_{match['number']}" if match else name
        rate = 0 if rule.get("rate") in (None, "") else rule["rate"]
        found[channel] = from_original({**rule, "channels": [channel], "rate": rate})
    return list(found.values())


def _is_made_here(rule: StoredRule | UnreadableRule) -> bool:
    return rule.made_by.endswith(_MADE_HERE)


def _key(rule: StoredRule) -> str:
    """Its channel as the original's pages name it, or its source."""
    return rule.spec.channels[0].removesuffix(":out_*").replace(":", "-")


def _told(rule: StoredRule) -> dict[str, Any]:
    return {
        "classes": ",".join(rule.written_classes),
        "rate": rule.spec.rate,
        "length": rule.spec.length_s,
        "object_filter": rule.spec.object_filter,
    }
