"""Files of sources: JSON as the original had it, or TOML; and what the API added for good."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.errors import SourceError
from tidzam_platform.files import whole_file

KEPT_NAME: Final = "sources.json"  # in the home
_MAX_BYTES: Final = 4 << 20
_PRIVATE: Final = 0o600  # URLs may hold passwords


def read_sources_file(path: Path) -> list[SourceSpecification]:
    """Read ``{"sources": [...]}`` (JSON), or ``[[sources]]`` (TOML, by its extension).

    A source of a file is permanent unless the file says otherwise.

    Raises:
        SourceError: the file is not there, or something in it is wrong; the message says all of it.
    """
    entries = _entries(path)
    sources: list[SourceSpecification] = []
    faults = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            faults.append(f"source {number} is no object")
            continue
        try:
            source = SourceSpecification.parse({"is_permanent": True} | entry)
        except SourceError as error:
            faults.append(f"number {number}: {error}")
            continue
        if any(known.name == source.name for known in sources):
            faults.append(f"number {number}: there is a source {source.name!r} already")
        sources.append(source)
    if faults:
        raise SourceError(f"{path}: " + "; ".join(faults))
    return sources


def write_sources_file(path: Path, sources: Iterable[SourceSpecification]) -> None:
    """Write them as JSON, for the owner alone: afterwards the file is whole, or as it was before."""
    entries = [{"is_permanent": False} | source.as_dict(hide_secrets=False) for source in sources]
    with whole_file(path) as temporary:
        temporary.touch(_PRIVATE)
        temporary.write_text(json.dumps({"sources": entries}, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _entries(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path}: more than {_MAX_BYTES} bytes are no file of sources")
        text = path.read_text("utf-8-sig")
        content = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file; sources.file of the settings names it") from error
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    entries = content.get("sources") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise SourceError(f'{path}: write {{"sources": [...]}}, or [[sources]] in TOML (docs/sources.md)')
    unknown = sorted(set(content) - {"sources"})
    if unknown:
        raise SourceError(f"{path}: {', '.join(map(str, unknown))} is not known there: only `sources` is")
    return entries
