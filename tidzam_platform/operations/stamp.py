"""What the set-up remembers in ``.venv``; read on every start, so it imports little and takes a millisecond.

The bootstrap ``./tidzam`` reads it with whatever ``python3`` there is, 3.6 included: no newer syntax here.
"""

import hashlib
import json
import os

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)  # tensorflow has no wheels for newer ones
VENV = ".venv"
STAMP = "tidzam-setup.json"
# States, in this order. Whatever was interrupted while INSTALLING is in no known state and is made anew.
INSTALLING = "installing"
INSTALLED = "installed"  # the packages are whole, system parts were not looked for yet
READY = "ready"
# What the set-up is made from: when one of these changes, it is brought up to date.
REQUIREMENTS = ("pyproject.toml", "constraints.txt", "tidzam_platform/operations/system_parts.py")


def venv_python(root: str) -> str:
    """Path of the environment's interpreter."""
    return os.path.join(root, VENV, "bin", "python")


def read_stamp(root: str) -> "dict[str, object]":
    """The stamp of the environment below ``root``; empty where there is none that can be read."""
    try:
        with open(os.path.join(root, VENV, STAMP), encoding="utf-8") as stamp:
            content = json.load(stamp)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def requirements_hash(root: str) -> str:
    """SHA-256 over the files that say what to install; a missing file counts as empty."""
    digest = hashlib.sha256()
    for name in REQUIREMENTS:
        try:
            with open(os.path.join(root, name), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            content = b""
        digest.update(b"%d " % len(content) + content)
    return digest.hexdigest()


def place(root: str) -> "dict[str, object]":
    """Where the environment stands and what interpreter it runs: once moved, it is of no use."""
    return {"root": root, "interpreter": os.path.realpath(venv_python(root))}


def is_made(root: str, stamp: "dict[str, object]") -> bool:
    """Whether the environment's packages are whole, at this place, and its interpreter is still there."""
    return (
        stamp.get("state") in (INSTALLED, READY)
        and os.access(venv_python(root), os.X_OK)
        and all(stamp.get(key) == value for key, value in place(root).items())
    )


def is_current(root: str, extras: "tuple[str, ...]" = ()) -> bool:
    """Whether the environment holds what the requirements ask for now, with these optional dependencies."""
    stamp = read_stamp(root)
    return (
        is_made(root, stamp)
        and stamp.get("requirements") == requirements_hash(root)
        and set(extras) <= names(stamp, "extras")
    )


def is_ready(root: str, extras: "tuple[str, ...]" = (), parts: "tuple[str, ...]" = ()) -> bool:
    """Whether nothing is left to set up.

    Args:
        root: absolute path of the project, symbolic links resolved.
        extras: optional dependencies (names in pyproject.toml) that must be installed.
        parts: system parts that must have been looked for, and tried to install, once.
    """
    stamp = read_stamp(root)
    return (
        stamp.get("state") == READY and set(parts) <= names(stamp, "tried_parts") and is_current(root, extras)
    )


def names(stamp: "dict[str, object]", key: str) -> "set[str]":
    """The set of names that the stamp keeps under ``key``."""
    value = stamp.get(key)
    return {str(name) for name in value} if isinstance(value, list) else set()
