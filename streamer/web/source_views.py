"""Sources over HTTP, and the archives that they can be played from."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from serving.gateway.refusals import HttpRefusalError, bad_request
from streamer.web.access import Caller
from streamer.web.core import WebCore
from streamer.web.refusals import not_found
from streamer.web.schemas import Seek, SourceName, checked, checked_source, for_engine, json_body
from tidzam_platform.access import Role
from tidzam_platform.errors import SourceError

_FOR_OPERATORS: Final = ("specification", "owner")  # folders and files of this machine, and who is connected
_JSON: Final = "application/json"


def add_source_views(views: Blueprint, core: WebCore) -> None:
    """``/sources``, ``/sources/NAME``, ``/sources/NAME/seek`` and ``/database``."""

    @views.get("/sources")
    def sources() -> Response:
        caller = authorised(core, Role.LISTEN)
        listed = core.engine.request("sources.list")["sources"]
        return jsonify({"sources": [_shown(status, caller) for status in listed]})

    @views.get("/sources/<name>")
    def source(name: str) -> Response:
        caller = authorised(core, Role.LISTEN)
        try:
            return jsonify(_shown(core.engine.request("sources.get", name=_known(name)), caller))
        except SourceError as error:
            raise not_found(error) from error

    @views.post("/sources")
    def add() -> tuple[Response, int]:
        caller = authorised(core, Role.OPERATE)
        described = checked_source(body())
        added = core.engine.request(
            "sources.add",
            specification=for_engine(described),
            keep=described.is_permanent,
            must_be_allowed=True,
        )
        return jsonify(_shown(added, caller)), 201

    @views.delete("/sources/<name>")
    def remove(name: str) -> Response:
        authorised(core, Role.OPERATE)
        try:
            core.engine.request("sources.remove", name=_known(name))
        except SourceError as error:
            raise not_found(error) from error
        return jsonify({"name": name})

    @views.post("/sources/<name>/seek")
    def seek(name: str) -> Response:
        caller = authorised(core, Role.OPERATE)
        date = checked(Seek, body(), "seek").date
        try:
            core.engine.request("sources.get", name=_known(name))
        except SourceError as error:
            raise not_found(error) from error
        return jsonify(_shown(core.engine.request("sources.seek", name=name, date=date), caller))

    @views.get("/database")
    def database() -> Response:
        authorised(core, Role.LISTEN)
        return jsonify({"database": core.engine.request("database")["database"]})


def authorised(core: WebCore, role: Role) -> Caller:
    """Who sent this request, if it may what ``role`` may; HttpRefusalError otherwise (401, 403)."""
    caller = core.gatekeeper.by_header(request.headers.get("Authorization"))
    core.gatekeeper.require(caller, role)
    return caller


def body() -> dict[str, Any]:
    """The JSON object that this request carries.

    Raises:
        HttpRefusalError: it carries something else.
    """
    if request.mimetype != _JSON:
        raise HttpRefusalError(415, "no_json", f"send a JSON object with Content-Type: {_JSON}")
    value = json_body(request.get_data())
    if not isinstance(value, dict):
        raise bad_request("the body is a JSON object")
    return value


def _known(name: str) -> str:
    return checked(SourceName, {"name": name}, "source").name


def _shown(status: dict[str, Any], caller: Caller) -> dict[str, Any]:
    if caller.role is not None and caller.role.covers(Role.OPERATE):
        return status
    return {key: value for key, value in status.items() if key not in _FOR_OPERATORS}
