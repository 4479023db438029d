"""The original's event ``RecorderRules``: rules of the recorder, and how many clips there are of each class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from serving.gateway.refusals import bad_request
from streamer.web.core import WebCore
from streamer.web.sockets.clients import Client
from tidzam_platform.access import Role
from tidzam_platform.clips import (
    RecorderRuleSpec,
    StoredRule,
    add_rule,
    clips_per_class,
    from_original,
    list_rules,
    remove_rule,
    to_original,
)
from tidzam_platform.clips.counting import count_unchecked
from tidzam_platform.clips.preroll import require_preroll
from tidzam_platform.clips.rules import UNCHECKED
from tidzam_platform.errors import TidzamError
from tidzam_platform.plain_text import require_plain

EVENT: Final = "RecorderRules"
_EMITTER: Final = "TidzamRecorder"
_COMMANDS: Final = ("add_rule", "del_rule", "get_rules", "get_database_info")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


class RuleReply(NamedTuple):
    """What a request comes to.

    Attributes:
        told: on the event to who asked, one after the other.
        acknowledged: to a client that asked for an acknowledgement.
    """

    told: list[dict[str, Any]]
    acknowledged: dict[str, Any]


class RecorderRules:
    """Carries out ``{"add_rule": {...}}``, ``{"del_rule": id}``, ``{"get_rules": ""}``, ``{"get_database_info": ""}``.

    Several may stand in one request; they are done in this order. To change rules wants role operate.
    """

    def __init__(self, core: WebCore) -> None:
        self._core = core

    def carry_out(self, client: Client, request: Any) -> RuleReply:
        """Do what a request says.

        Raises:
            HttpRefusalError: it is malformed, or the client may not.
            TidzamError: a rule makes no sense or is not there, or the catalog does not answer.
        """
        asked = commands_of(request, _COMMANDS)
        changes = "add_rule" in asked or "del_rule" in asked
        self._core.gatekeeper.require(client.caller, Role.OPERATE if changes else Role.LISTEN)
        told: list[dict[str, Any]] = []
        done: dict[str, Any] = {}
        if "add_rule" in asked:
            done["rule"] = self._add(client, asked["add_rule"])
        if "del_rule" in asked:
            done["removed"] = self._remove(asked["del_rule"])
        if "get_rules" in asked:
            told.append({"rules": self._rules(), "emitter": _EMITTER})
        if "get_database_info" in asked:
            told.append({"database_info": database_info(self._core), "emitter": _EMITTER})
        for answer in told:
            done |= answer
        return RuleReply(told, done)

    def _add(self, client: Client, rule: Any) -> dict[str, Any]:
        spec = from_original(rule)
        require_preroll(spec, self._core.settings.clips.preroll_mb)
        made = add_rule(self._core.library.catalog, spec, client.caller.name)
        return to_original(made.spec, made.id, 0)

    def _remove(self, number: Any) -> int:
        if isinstance(number, bool) or not _NUMBER.fullmatch(str(number)):
            raise bad_request("del_rule takes the id of a rule, as get_rules tells it")
        return remove_rule(self._core.library.catalog, int(number)).id

    def _rules(self) -> list[dict[str, Any]]:
        return [
            to_original(as_written(rule), rule.id, rule.clips)
            for rule in list_rules(self._core.library.catalog)
        ]


def as_written(rule: StoredRule) -> RecorderRuleSpec:
    """The rule as its author wrote it: without the other names that its classes have or had."""
    return rule.spec.model_copy(update={"classes": tuple(rule.written_classes)}) if rule.also else rule.spec


def commands_of(request: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """The commands of a request in the original's form; HttpRefusalError (400) where it is none.

    InvalidNameError where a text in it holds a control character.

    Pages of the original say who sends it (``emitter``), which means nothing here.
    """
    if not isinstance(request, dict):
        raise bad_request("request must be a JSON.")  # in the words of the original
    asked = {key: value for key, value in request.items() if key != "emitter"}
    if not asked or set(asked) - set(known):
        raise bad_request(f"a request is an object with one of {', '.join(known)}")
    require_plain(asked, "the request")
    return asked


def database_info(core: WebCore) -> dict[str, int]:
    """Clips by class; those of the generation in service are all there, with 0 where there is none.

    Without an analyzer only the classes that have clips are known. ``unchecked``, as in the original: the clips of live
    audio that nobody has labelled.
    """
    counts: Counter[str] = clips_per_class(core.library.catalog)
    try:
        known = core.analyzer.request_quickly("classes")["classes"]
    except TidzamError:
        known = []
    by_class = {path: counts[path] for path in sorted({*counts, *known})}
    return {**by_class, UNCHECKED: count_unchecked(core.library.catalog)}
