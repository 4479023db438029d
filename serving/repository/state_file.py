"""The state on the disk: ``models/serving/state.json``, replaced whole, so that it is always the old or the new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from serving.repository.change import Change, as_version
from serving.repository.state import State
from tidzam_platform.errors import ModelRepositoryError, TidzamError
from tidzam_platform.files import fsync_folder, write_whole

_FORMAT: Final = 1
_MEND: Final = (
    "restore it from a backup, or remove it: the newest version is then served until one is promoted again "
    "(retired versions and the history are forgotten)"
)


def read_state(path: Path) -> State:
    """The state in ``path``; that of a fresh repository where there is no file.

    Raises:
        ModelRepositoryError: the file cannot be read, or is none that we wrote.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise ModelRepositoryError(f"{path} cannot be read: {error.strerror}") from error
    try:
        content: Any = json.loads(data)
        if content["format"] != _FORMAT:
            raise ModelRepositoryError(
                f"{path} has format {content['format']!r}, we read {_FORMAT}: a newer Tidzam wrote it; use that one"
            )
        return _from_json(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, TidzamError) as error:
        if isinstance(error, ModelRepositoryError):
            raise
        raise ModelRepositoryError(
            f"{path} holds no state of a model repository ({error}); {_MEND}"
        ) from error


def write_state(path: Path, state: State, root: Path) -> None:
    """Replace the file by ``state``.

    Args:
        path: the file; its folder is made where it is missing.
        state: what to keep.
        root: the folder on the same file system that holds ``.partial``.

    Raises:
        ModelRepositoryError: it cannot be written; the file is as it was before.
    """
    content = {
        "format": _FORMAT,
        "labels": {label: change.to_json() for label, change in state.labels.items()},
        "retired": [change.to_json() for _, change in sorted(state.retired.items())],
        "former": list(state.former),
        "newest_introduced": state.newest_introduced,
        "history": [change.to_json() for change in state.history],
    }
    write_text(path, json.dumps(content, indent=1) + "\n", root)


def write_text(path: Path, text: str, root: Path) -> None:
    """Replace a file of ``models/serving/`` whole; raises as ``write_state`` does."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            fsync_folder(path.parent.parent)
        write_whole(path, text.encode(), root)
    except OSError as error:
        raise ModelRepositoryError(f"{path} cannot be written: {error.strerror}") from error


def _from_json(content: Any) -> State:
    retired = [Change.from_json(entry) for entry in content["retired"]]
    labels = {str(label): Change.from_json(entry) for label, entry in content["labels"].items()}
    for label, change in labels.items():
        if change.label != label:
            raise ValueError(f"the change of {label} is of {change.label}")
    return State(
        labels=labels,
        retired={change.version: change for change in retired},
        former=tuple(map(as_version, content["former"])),
        newest_introduced=int(content["newest_introduced"]),
        history=tuple(Change.from_json(entry) for entry in content["history"]),
    )
