"""The OpenAPI document's part on what is heard and kept: rules, detections, clips, annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from serving.gateway.openapi_schemas import (
    COUNT,
    FROM_ONE,
    NUMBER,
    SCORE,
    SECONDS,
    TEXT,
    TIME,
    YES_NO,
    Schema,
    array,
    or_null,
    ref,
    shape,
)
from streamer.web.annotation_schemas import Annotating, AnnotationStatement
from streamer.web.detection_views import FILE_FORMATS, INCOMPLETE, JSON, ORDERS
from streamer.web.openapi_parts import DETECTION_HINTS, VERDICT, choice, operation, parameter, query
from tidzam_platform.clips import RecorderRuleSpec
from tidzam_platform.clips.listing import MAX_PAGE as MAX_CLIPS
from tidzam_platform.detections.exporting import media_type_of
from tidzam_platform.detections.query import MAX_PAGE as MAX_DETECTIONS

_READING: Final = (400, 401, 503)
_FINDING: Final = (400, 401, 404, 503)
_CHANGING: Final = (400, 401, 403, 413, 415, 503)
_CHANGING_NAMED: Final = (*_CHANGING, 404)


def schemas() -> dict[str, Schema]:
    """Shapes by name."""
    made = {**_of_model(RecorderRuleSpec, "RuleSpecification"), **_of_model(AnnotationStatement)}
    for model, name in (
        ("RuleSpecification", "channels"),
        ("RuleSpecification", "classes"),
        ("Schedule", "times"),
        ("Schedule", "days"),
    ):
        said = made[model]["properties"]
        said[name] = {"anyOf": [said[name], {**TEXT, "description": "With commas between them."}]}
    listed = made["RuleSpecification"]["properties"]
    listed["score"] = {
        "anyOf": [listed["score"], {**TEXT, "pattern": r"^\s*[0-9.]+\s+to\s+[0-9.]+\s*$"}],
        "description": "A range, e.g. '0.3 to 0.6' or [0.3, 0.6].",
    }
    several = Annotating.model_json_schema(ref_template="#/components/schemas/{model}")
    several.pop("$defs")
    about = {key: several["properties"][key] for key in ("replaces", "corrects")}
    alone = {**made["AnnotationStatement"]}
    alone["properties"] = {**alone["properties"], **about}
    made["Annotating"] = {
        "description": "One statement, or several that are written together, or not at all.",
        "oneOf": [several, alone],
    }
    return {
        **made,
        "Rule": _rule(made["RuleSpecification"]),
        "Rules": shape({"rules": array(ref("Rule")), "unreadable": array(ref("Rule"))}),
        "HeardDetection": shape(
            {
                "id": TEXT,
                "generation": FROM_ONE,
                "channel": TEXT,
                "start": TIME,
                "end": TIME,
                "class_path": TEXT,
                "score": SCORE,
            }
        ),
        "DetectionPage": shape(
            {
                "detections": array(ref("HeardDetection")),
                "next_cursor": or_null(TEXT),
                "incomplete": {
                    **YES_NO,
                    "description": "Time ran out before there were as many as were asked for, perhaps before there "
                    "was any: next_cursor goes on from there.",
                },
            },
            description="next_cursor asks for what follows; null at the end.",
        ),
        "Clip": _CLIP,
        "ClipPage": shape({"clips": array(ref("Clip")), "next_cursor": or_null(TEXT)}),
        "Annotation": _ANNOTATION,
        "Annotations": shape({"annotations": array(ref("Annotation")), "next_after": or_null(FROM_ONE)}),
        "Annotated": shape(
            {
                "annotations": array(ref("Annotation")),
                **dict.fromkeys(("made", "kept", "superseded", "withdrawn"), COUNT),
            },
            description="What stands of it now, and how much of that is new.",
        ),
    }


def paths() -> dict[str, Schema]:
    """Operations by path and method."""
    clip, detection = [parameter("clip", "its id")], [parameter("detection", "its id")]
    listing = [
        query("history", "also those that were superseded", YES_NO),
        query("limit", "at most so many (default 1000)", {**FROM_ONE, "maximum": 1000}),
        query("after", "go on behind the annotation of this id", COUNT),
    ]
    return {
        "/api/v1/rules": {
            "get": operation(
                "The rules of the recorder, and how many clips each kept",
                "Rules",
                _READING,
                parameters=[query("removed", "also those that were removed", YES_NO)],
            ),
            "post": operation(
                "Add a rule; a running analyzer follows it within seconds",
                "Rule",
                _CHANGING,
                role="operate",
                body="RuleSpecification",
                status=201,
            ),
        },
        "/api/v1/rules/{rule}": {
            "delete": operation(
                "Let a rule stand no more; its clips stay",
                "Rule",
                (*_FINDING, 403),
                role="operate",
                parameters=[parameter("rule", "its id")],
            )
        },
        "/api/v1/detections": {"get": _detections()},
        "/api/v1/detections/{detection}/annotations": {
            "get": operation(
                "What people say of a detection", "Annotations", _FINDING, parameters=[*detection, *listing]
            ),
            "post": _annotating(
                "Say what a detection is, in the name of the token",
                [*detection, *DETECTION_HINTS],
            ),
        },
        "/api/v1/clips": {"get": _clips()},
        "/api/v1/clips/{clip}": {"get": operation("One clip", "Clip", _FINDING, parameters=clip)},
        "/api/v1/clips/{clip}/audio": {"get": _audio(clip)},
        "/api/v1/clips/{clip}/annotations": {
            "get": operation(
                "What people say of a clip", "Annotations", _FINDING, parameters=[*clip, *listing]
            ),
            "post": _annotating("Say what is heard in a clip, in the name of the token", clip),
        },
    }


def _of_model(model: type[BaseModel], name: str = "") -> dict[str, Schema]:
    """The schema of a model, and of those that it is made of, each by its name."""
    made = model.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Schema] = made.pop("$defs", {})
    return {**parts, name or model.__name__: made}


def _rule(specification: Mapping[str, Any]) -> Schema:
    """A rule of the catalog: what it says, and what became of it."""
    said = specification["properties"]
    return shape(
        {
            "id": FROM_ONE,
            **said,
            "also": {
                **array(TEXT),
                "description": "other names of its classes, before or after a change: it follows them too",
            },
            "problem": {**TEXT, "description": "why it cannot be read; then nothing of what it says is told"},
            "made_by": TEXT,
            "made_at": TIME,
            "removed_at": or_null(TIME),
            "clips": COUNT,
        },
        optional=(*said, "also", "problem"),
    )


def _annotating(summary: str, parameters: list[Schema]) -> Schema:
    made = operation(
        summary,
        "Annotated",
        _CHANGING_NAMED,
        role="label",
        body="Annotating",
        status=201,
        parameters=parameters,
    )
    made["responses"]["200"] = {**made["responses"]["201"], "description": "All of it was said before."}
    return made


def _filters() -> list[Schema]:
    """What detections and clips are chosen by."""
    return [
        query("from", "only what starts then or later: a time with its zone, or a day (UTC)", TEXT),
        query("to", "only what starts before", TEXT),
        query("channel", "pattern of channels, e.g. marsh:out_*; may be repeated", array(TEXT)),
        query("class", "a class with all below it; may be repeated", array(TEXT)),
        query("min_score", "least score", SCORE),
        query("max_score", "greatest score", SCORE),
    ]


def _detections() -> Schema:
    made = operation(
        "Detections, live and of the archive; the next page is under next_cursor and in the header Link",
        "DetectionPage",
        (*_READING, 502),
        parameters=[
            *_filters(),
            query("exact", "with class: not what lies below", YES_NO),
            query("generation", "heard by it; may be repeated", array(FROM_ONE)),
            query("order", "newest is the default of json, oldest of files", choice(ORDERS)),
            query(
                "limit", "of a page (default 100; of files 10000)", {**FROM_ONE, "maximum": MAX_DETECTIONS}
            ),
            query("cursor", "next_cursor of the page before", TEXT),
            query("format", "else Accept chooses; dwc: Darwin Core", choice((JSON, *FILE_FORMATS))),
            query("origin", "second 0 of raven and audacity; from, else the first detection", TEXT),
        ],
    )
    types = {media_type_of("json" if name == "jsonl" else name) for name in FILE_FORMATS}
    told = made["responses"]["200"]
    told["content"] |= {media_type: {} for media_type in sorted(types)}
    told["headers"] = {
        "Link": {"schema": TEXT, "description": "The next page, where there is one (rel=next)."},
        INCOMPLETE: {
            "schema": choice(("true",)),
            "description": "Time ran out before the page was full: what the answer lacks is on the next ones.",
        },
    }
    return made


def _clips() -> Schema:
    return operation(
        "Clips, the newest first",
        "ClipPage",
        _READING,
        parameters=[
            *_filters(),
            query("generation", "heard by it", FROM_ONE),
            query("rule", "kept by it", FROM_ONE),
            query("destination", "of their rule", TEXT),
            query("labelled", "whether anybody said what is in them", YES_NO),
            query("limit", "of a page (default 100)", {**FROM_ONE, "maximum": MAX_CLIPS}),
            query("cursor", "next_cursor of the page before", TEXT),
        ],
    )


def _audio(parameters: list[Schema]) -> Schema:
    made = operation("The clip's file", "Clip", (*_FINDING, 502), parameters=parameters)
    made["responses"]["200"] = {
        "description": "Audio, in FLAC where it was cut out live.",
        "content": {"audio/*": {}},
    }
    made["responses"]["206"] = {"description": "The part that Range asks for.", "content": {"audio/*": {}}}
    return made


_CLIP: Final = shape(
    {
        "id": FROM_ONE,
        "sha256": TEXT,
        "channel": or_null(TEXT),
        "start": or_null(TIME),
        "seconds": SECONDS,
        "class_path": {**or_null(TEXT), "description": "What it was kept for."},
        "score": or_null(SCORE),
        "generation": or_null(FROM_ONE),
        "rule": or_null(FROM_ONE),
        "destination": or_null(TEXT),
        "group": TEXT,
        "side": {**or_null(TEXT), "description": "train, validation or test, once it is given."},
        "codec": TEXT,
        "rate_hz": FROM_ONE,
        "channels": FROM_ONE,
        "added_at": TIME,
        "origin": {"type": "object"},
        "annotations": array(
            shape(
                {
                    "id": FROM_ONE,
                    "class_path": TEXT,
                    "verdict": VERDICT,
                    "annotator": TEXT,
                    "start_s": or_null(SECONDS),
                    "end_s": or_null(SECONDS),
                }
            )
        ),
    },
    description="What is null is not known of clips that were imported.",
)
_ANNOTATION: Final = shape(
    {
        "id": FROM_ONE,
        "clip": or_null(FROM_ONE),
        "detection": or_null(TEXT),
        "recording": or_null(FROM_ONE),
        "channel": or_null(TEXT),
        "start": or_null(TIME),
        "end": or_null(TIME),
        "class_path": TEXT,
        "verdict": VERDICT,
        "start_s": or_null(SECONDS),
        "end_s": or_null(SECONDS),
        "low_hz": or_null(NUMBER),
        "high_hz": or_null(NUMBER),
        "annotator": TEXT,
        "tool": TEXT,
        "made_at": TIME,
        "superseded_by": or_null(FROM_ONE),
    }
)
