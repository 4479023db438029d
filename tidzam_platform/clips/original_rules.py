"""Rules in the shapes of the original Tidzam's events ``RecorderRules`` and ``SampleExtractionRules``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidzam_platform.clips.rules import UNCHECKED, RecorderRuleSpec
from tidzam_platform.errors import RuleError

_KNOWN: Final = ("channels", "classes", "dst", "length", "rate", "object_filter")
_ANSWERED: Final = ("id", "count")  # what get_rules adds: pages send rules back with it
_DEFAULT_LENGTH_S: Final = 0.5
_TRUE: Final = ("true", "on", "yes", "1")
_FALSE: Final = ("false", "off", "no", "0", "")


def from_original(rule: Mapping[str, Any]) -> RecorderRuleSpec:
    """Read ``{"channels", "classes", "dst", "length", "rate", "object_filter"}``.

    Channels and classes are a list or a text with commas. The original looked for a channel's name within others;
    here a name without ``:`` stands for all channels of that source, and everything else must match as a whole.

    Raises:
        RuleError: it makes no sense, has other keys, or its ``dst`` is a path.
    """
    if not isinstance(rule, Mapping):
        raise RuleError(f"a rule is an object with the keys {', '.join(_KNOWN)}")
    others = sorted(str(key) for key in rule if key not in (*_KNOWN, *_ANSWERED))
    if others:
        raise RuleError(f"a rule has no key {others[0][:80]!r}; it has {', '.join(_KNOWN)}")
    length = rule.get("length")
    return RecorderRuleSpec.parse(
        {
            "channels": [_of_source(name) for name in _words("channels", rule.get("channels"))],
            "classes": _words("classes", rule.get("classes")),
            "destination": rule.get("dst") or UNCHECKED,
            "length_s": _DEFAULT_LENGTH_S if length in (None, "") else length,
            "rate": rule.get("rate"),
            "object_filter": _truth(rule.get("object_filter", False)),
        }
    )


def to_original(
    rule: RecorderRuleSpec, rule_id: int | None = None, count: int | None = None
) -> dict[str, Any]:
    """What the original would say of a rule, with its id and how many clips it kept where they are given.

    What the original did not know is left out: read the rule over HTTP for all of it. A rule that forbids is told with
    the rate 0, since it keeps nothing, and with ``"forbid": true``.
    """
    told: dict[str, Any] = {
        "channels": ",".join(rule.channels),
        "classes": ",".join(rule.classes),
        "dst": rule.destination,
        "length": rule.length_s,
        "rate": 0.0 if rule.forbid else rule.rate,
        "object_filter": rule.object_filter,
    }
    if rule.forbid:
        told["forbid"] = True
    if rule_id is not None:
        told["id"] = rule_id
    if count is not None:
        told["count"] = count
    return told


def _words(key: str, value: Any) -> list[str]:
    if value in (None, ""):
        return ["*"]
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise RuleError(f"{key} are a list of names, or names with commas between them")
    found = [word.strip() for word in words if word.strip()]
    if not found:
        raise RuleError(f"{key} name nothing: write * for all")
    return found


def _of_source(name: str) -> str:
    return name if any(letter in name for letter in ":*?") else f"{name}:out_*"


def _truth(value: Any) -> bool:
    text = str(value).strip().lower()
    if value is None or text in _FALSE:
        return False
    if text in _TRUE:
        return True
    raise RuleError(f"object_filter is true or false, not {str(value)[:80]!r}")
