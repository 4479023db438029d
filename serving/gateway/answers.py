"""What the gateway's own API answers, as JSON."""

from __future__ import annotations

from typing import Any

from serving.analysis import Hearing
from serving.gateway.refusals import HttpRefusalError
from serving.signature import ModelDescription
from tidzam_platform.detections.detection import is_detection


def error_object(refusal: HttpRefusalError, message: str) -> dict[str, Any]:
    """Of every refusal."""
    return {"error": message, "code": refusal.code}


def hearing_object(hearing: Hearing) -> dict[str, Any]:
    """What was heard in an upload; times are seconds from its first sample."""
    info = hearing.info
    return {
        "generation": hearing.description.generation,
        "container": info.container,
        "codec": info.codec,
        "rate_hz": info.rate_hz,
        "channels": info.channels,
        "seconds": round(info.seconds, 6),
        "holes": [{"start_s": round(start, 6), "end_s": round(end, 6)} for start, end in info.holes],
        "truncated": info.truncated,
        "detections": [
            {
                "channel": event.channel,
                "start_s": hearing.seconds(event.start_frame),
                "end_s": hearing.seconds(event.end_frame),
                "class": event.class_path,
                "score": round(event.score, 4),
            }
            for event in hearing.events
            if is_detection(event)
        ],
    }


def classes_object(description: ModelDescription) -> dict[str, Any]:
    """The classes that the generation in service knows."""
    return {
        "generation": description.generation,
        "dataset_version": description.dataset_version,
        "labels": description.labels,
        "rate_hz": description.rate_hz,
        "window_s": description.window_s,
        "hop_s": description.hop_s,
        "classes": [
            {"path": known.path, "parent": known.parent, "threshold": known.threshold}
            for known in description.classes
        ],
    }
