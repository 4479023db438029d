"""Rules of the recorder over HTTP."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, jsonify

from serving.gateway.refusals import HttpRefusalError
from streamer.web.arguments import Arguments
from streamer.web.core import WebCore
from streamer.web.refusals import not_found
from streamer.web.source_views import authorised, body
from tidzam_platform.access import Role
from tidzam_platform.clips import RecorderRuleSpec, add_rule, read_rules, remove_rule
from tidzam_platform.clips.preroll import require_preroll
from tidzam_platform.errors import RuleError

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


def add_rule_views(views: Blueprint, core: WebCore) -> None:
    """``/rules`` and ``/rules/ID``."""

    @views.get("/rules")
    def rules() -> Response:
        authorised(core, Role.LISTEN)
        removed = bool(Arguments(("removed",)).yes("removed"))
        readable, unreadable = read_rules(core.library.catalog, removed=removed, counted=True)
        return jsonify(
            {
                "rules": [rule.as_dict() for rule in readable],
                "unreadable": [rule.as_dict() for rule in unreadable],
            }
        )

    @views.post("/rules")
    def make_rule() -> tuple[Response, int]:
        caller = authorised(core, Role.OPERATE)
        spec = RecorderRuleSpec.parse(body())
        require_preroll(spec, core.settings.clips.preroll_mb)
        return jsonify(add_rule(core.library.catalog, spec, caller.name).as_dict()), 201

    @views.delete("/rules/<rule>")
    def end_rule(rule: str) -> Response:
        authorised(core, Role.OPERATE)
        if not _NUMBER.fullmatch(rule):
            raise HttpRefusalError(404, "not_found", f"there is no rule {rule[:40]!r}: rules have numbers")
        try:
            return jsonify(remove_rule(core.library.catalog, int(rule)).as_dict())
        except RuleError as error:
            raise not_found(error) from error
