"""What a source's status says, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_NOT_SHOWN: Final = ("history", "name")


def origin_of(status: Mapping[str, Any]) -> str:
    """Where the audio comes from: an address, a file, a device, an archive."""
    asked = status.get("specification") or {}
    if status.get("kind") == "archive":
        archive = f"archive of {asked.get('database') or status['name']}"
        return f"{archive} from {asked['date']}" if asked.get("date") else archive
    for origin in (status.get("url"), asked.get("path"), asked.get("device")):
        if origin:
            return str(origin)
    return "pushed by a program" if status.get("kind") == "live" else ""


def described(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Rows of what and how it is, in the order of the status; what there is nothing of is left out."""
    yield from _rows("from", origin_of(status))
    for key, value in status.items():
        if key not in _NOT_SHOWN:
            yield from _rows(key.replace("_", " "), value)


def _rows(what: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _rows(f"{what}: {str(key).replace('_', ' ')}", inner)
    elif value not in (None, "", [], ()):
        yield what, in_words(value)


def in_words(value: Any) -> str:
    """One value: yes and no, lists with commas between."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(in_words(one) for one in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {in_words(inner)}" for key, inner in value.items())
    return str(value)
