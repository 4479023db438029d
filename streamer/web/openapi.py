"""The OpenAPI document of the web process: its own paths, and the gateway's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from serving.gateway.openapi import openapi_document as gateway_document
from serving.gateway.openapi_schemas import (
    COUNT,
    FROM_ONE,
    NUMBER,
    TEXT,
    TIME,
    Schema,
    array,
    or_null,
    ref,
    shape,
)
from streamer.engine.sources.specification import SourceSpecification
from streamer.web.schemas import MixerChange, Seek

_YES_NO: Final[Schema] = {"type": "boolean"}
_REASONS: Final = {
    400: "malformed, or not what the engine can do",
    401: "no token where one is wanted, or one that is not good",
    403: "a token whose role does not go so far, or an address that may not be fetched",
    404: "there is no such source or channel",
    413: "too many bytes",
    415: "no JSON",
    502: "the engine failed",
    503: "no engine, or too much at once: try again after Retry-After seconds",
}
_READING: Final = (400, 401, 502, 503)
_NAMED: Final = (400, 401, 404, 502, 503)
_CHANGING: Final = (400, 401, 403, 413, 415, 502, 503)
_CHANGING_NAMED: Final = (400, 401, 403, 404, 413, 415, 502, 503)


def _open_shape(properties: dict[str, Schema], required: Sequence[str], description: str = "") -> Schema:
    """An object of the engine, which may tell more than this."""
    made: Schema = {"type": "object", "properties": properties, "required": list(required)}
    return {**made, "description": description} if description else made


_SOURCE: Final = _open_shape(
    {
        "name": TEXT,
        "state": TEXT,
        "state_since": or_null(TIME),
        "kind": TEXT,
        "is_permanent": _YES_NO,
        "channels": array(TEXT),
        "record": _YES_NO,
        "url": or_null(TEXT),
        "reason": or_null(TEXT),
        "time": {
            **or_null(TIME),
            "description": "UTC of what sounds now: of an archive, when it was recorded.",
        },
        "transitions": {"description": "How many there were; of one source, the last hundred."},
        "specification": {"type": "object", "description": "As it was asked for; told from role operate on."},
    },
    ("name", "state", "channels"),
)
_CHANNEL: Final = _open_shape(
    {
        "channel": TEXT,
        "source": TEXT,
        "sounding": _YES_NO,
        "since": or_null(TIME),
        "why": or_null(TEXT),
        "peak_dbfs": or_null(NUMBER),
        "rms_dbfs": or_null(NUMBER),
        "clipped": COUNT,
        "gain_db": NUMBER,
        "muted": _YES_NO,
        "solo": _YES_NO,
        "by": or_null(TEXT),
        "reason": or_null(TEXT),
        "mounts": array(TEXT),
    },
    ("channel", "mounts"),
    "Levels are those of the microphone, before the mixer; mounts are where it is listened to.",
)
_PERIOD: Final[Schema] = {**array(TEXT), "minItems": 2, "maxItems": 2}
_DATABASE: Final = _open_shape({"nb_channels": COUNT, "database": array(_PERIOD)}, ("database",))
_STATUS: Final = shape({"status": TEXT, "graph": TEXT}, optional=("graph",))


def _schemas() -> dict[str, Schema]:
    specification = SourceSpecification.model_json_schema()
    specification["properties"]["channels"] = {
        "description": "Indices from 0 or names, e.g. 0,3 or channel4; all of them by default.",
        "anyOf": [TEXT, array({"anyOf": [{"type": "integer"}, TEXT]}), {"type": "null"}],
    }
    del specification["properties"]["live"]  # opened by sending it, over Socket.IO
    return {
        "SourceSpecification": specification,
        "Seek": Seek.model_json_schema(),
        "MixerChange": MixerChange.model_json_schema(),
        "Source": _SOURCE,
        "Sources": shape({"sources": array(ref("Source"))}),
        "SourceName": shape({"name": TEXT}),
        "Channel": _CHANNEL,
        "Channels": _open_shape({"channels": array(ref("Channel"))}, ("channels",)),
        "MixerAudit": shape({"changes": array({"type": "object"})}),
        "Database": shape({"database": {"type": "object", "additionalProperties": _DATABASE}}),
        "Status": _STATUS,
    }


def _answer(schema: str, says: str) -> Schema:
    return {"description": says, "content": {"application/json": {"schema": ref(schema)}}}


def _operation(
    summary: str,
    answer: str,
    refusals: Sequence[int],
    *,
    role: str = "",
    body: str = "",
    status: int = 200,
    **more: Any,
) -> Schema:
    said = f"{summary} (role {role})" if role else summary
    made: Schema = {"summary": said, **more}
    if role:
        made["security"] = [{"token": []}]
    if body:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(body)}}}
    made["responses"] = {str(status): _answer(answer, summary)} | {
        str(refusal): _answer("Error", _REASONS[refusal]) for refusal in refusals
    }
    return made


def _parameter(name: str, says: str, where: str = "path", schema: Schema = TEXT) -> Schema:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": says}


def _page(summary: str, media_type: str) -> Schema:
    return {"summary": summary, "responses": {"200": {"description": summary, "content": {media_type: {}}}}}


def _paths() -> dict[str, Schema]:
    name = [_parameter("name", "of the source")]
    channel = [_parameter("channel", "e.g. marsh:out_1")]
    limit = [_parameter("limit", "at most so many (default 100)", "query", {**FROM_ONE, "maximum": 1000})]
    return {
        "/api/v1/sources": {
            "get": _operation("All sources", "Sources", _READING),
            "post": _operation(
                "Add a source, or put it in the place of the one of that name",
                "Source",
                _CHANGING,
                role="operate",
                body="SourceSpecification",
                status=201,
            ),
        },
        "/api/v1/sources/{name}": {
            "get": _operation("One source and its last transitions", "Source", _NAMED, parameters=name),
            "delete": _operation(
                "Remove a source", "SourceName", (*_NAMED, 403), role="operate", parameters=name
            ),
        },
        "/api/v1/sources/{name}/seek": {
            "post": _operation(
                "Let a source that plays an archive go on from a date",
                "Source",
                _CHANGING_NAMED,
                role="operate",
                body="Seek",
                parameters=name,
            )
        },
        "/api/v1/database": {
            "get": _operation("Which archives there are, and of when", "Database", _READING)
        },
        "/api/v1/channels": {"get": _operation("All channels: levels, mixer, mounts", "Channels", _READING)},
        "/api/v1/mixer/{channel}": {
            "put": _operation(
                "Set gain, mute or solo by hand, until it is released",
                "Channel",
                _CHANGING_NAMED,
                role="operate",
                body="MixerChange",
                parameters=channel,
            ),
            "delete": _operation(
                "Let the mixer's rules decide again",
                "Channel",
                (*_NAMED, 403),
                role="operate",
                parameters=channel,
            ),
        },
        "/api/v1/mixer/audit": {
            "get": _operation("Who changed what, the newest first", "MixerAudit", _READING, parameters=limit)
        },
        "/healthz": {"get": _operation("Whether the process lives", "Status", ())},
        "/readyz": {"get": _operation("Whether the engine answers and its graph runs", "Status", (502, 503))},
        "/metrics": {"get": _page("Counts, for Prometheus", "text/plain")},
        "/capture": {"get": _page("A page: let this computer's microphone be heard", "text/html")},
        "/listen": {"get": _page("A page: listen to the channels", "text/html")},
    }


def openapi_document() -> dict[str, Any]:
    """The whole document (OpenAPI 3.1.0)."""
    gateway = gateway_document()
    return {
        **gateway,
        "info": {
            **gateway["info"],
            "description": "Sources, channels and the mixer; what is heard in audio, which generation hears it, and "
            "JibJib's API. Live streams and the original's requests go over Socket.IO: docs/socketio.md.",
        },
        "components": {
            **gateway["components"],
            "schemas": {**_schemas(), **gateway["components"]["schemas"]},
        },
        "paths": {**_paths(), **gateway["paths"]},
    }
