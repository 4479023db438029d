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
    YES_NO,
    Schema,
    array,
    or_null,
    ref,
    shape,
)
from streamer.engine.sources.specification import SourceSpecification
from streamer.web import openapi_hearing, openapi_lineage, openapi_queue
from streamer.web.openapi_parts import operation, parameter, query
from streamer.web.schemas import MixerChange, Seek

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
        "is_permanent": YES_NO,
        "channels": array(TEXT),
        "record": YES_NO,
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
        "sounding": YES_NO,
        "since": or_null(TIME),
        "why": or_null(TEXT),
        "peak_dbfs": or_null(NUMBER),
        "rms_dbfs": or_null(NUMBER),
        "clipped": COUNT,
        "gain_db": NUMBER,
        "muted": YES_NO,
        "solo": YES_NO,
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
        **openapi_hearing.schemas(),
        **openapi_queue.schemas(),
        **openapi_lineage.schemas(),
    }


def _page(summary: str, media_type: str) -> Schema:
    return {"summary": summary, "responses": {"200": {"description": summary, "content": {media_type: {}}}}}


def _paths() -> dict[str, Schema]:
    name = [parameter("name", "of the source")]
    channel = [parameter("channel", "e.g. marsh:out_1")]
    limit = [query("limit", "at most so many (default 100)", {**FROM_ONE, "maximum": 1000})]
    return {
        "/api/v1/sources": {
            "get": operation("All sources", "Sources", _READING),
            "post": operation(
                "Add a source, or put it in the place of the one of that name",
                "Source",
                _CHANGING,
                role="operate",
                body="SourceSpecification",
                status=201,
            ),
        },
        "/api/v1/sources/{name}": {
            "get": operation("One source and its last transitions", "Source", _NAMED, parameters=name),
            "delete": operation(
                "Remove a source", "SourceName", (*_NAMED, 403), role="operate", parameters=name
            ),
        },
        "/api/v1/sources/{name}/seek": {
            "post": operation(
                "Let a source that plays an archive go on from a date",
                "Source",
                _CHANGING_NAMED,
                role="operate",
                body="Seek",
                parameters=name,
            )
        },
        "/api/v1/database": {"get": operation("Which archives there are, and of when", "Database", _READING)},
        "/api/v1/channels": {"get": operation("All channels: levels, mixer, mounts", "Channels", _READING)},
        "/api/v1/mixer/{channel}": {
            "put": operation(
                "Set gain, mute or solo by hand, until it is released",
                "Channel",
                _CHANGING_NAMED,
                role="operate",
                body="MixerChange",
                parameters=channel,
            ),
            "delete": operation(
                "Let the mixer's rules decide again",
                "Channel",
                (*_NAMED, 403),
                role="operate",
                parameters=channel,
            ),
        },
        "/api/v1/mixer/audit": {
            "get": operation("Who changed what, the newest first", "MixerAudit", _READING, parameters=limit)
        },
        **openapi_hearing.paths(),
        **openapi_queue.paths(),
        **openapi_lineage.paths(),
        "/healthz": {"get": operation("Whether the process lives", "Status", ())},
        "/readyz": {"get": operation("Whether the engine answers and its graph runs", "Status", (502, 503))},
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
            "description": "Sources, channels and the mixer; what is heard live, and kept of it; what is heard in "
            "uploads, which generation hears it, and JibJib's API. Live streams, results as they come and the "
            "original's requests go over Socket.IO: docs/socketio.md.",
        },
        "components": {
            **gateway["components"],
            "schemas": {**_schemas(), **gateway["components"]["schemas"]},
        },
        "paths": {**_paths(), **gateway["paths"]},
    }
