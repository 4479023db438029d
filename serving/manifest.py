"""The manifest of a model version: the SHA-256 of every file, so that a damaged version is never loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.files import sha256_of_file

MANIFEST_PATH: Final = Path("assets.extra") / "manifest.json"
_FORMAT: Final = 1
_MEND: Final = "export and publish the generation again"


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` by its relative path, the manifest itself left out.

    Raises:
        ModelRepositoryError: there is something else than plain files and folders, e.g. a link out of the
            folder.
    """
    hashes: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelRepositoryError(
                f"{path} is no plain file: a model version holds files and folders only"
            )
        if path.is_file() and relative != MANIFEST_PATH:
            hashes[relative.as_posix()] = sha256_of_file(path)
    return hashes


def write_manifest(folder: Path) -> None:
    """Write the manifest of what ``folder`` holds now."""
    manifest = folder / MANIFEST_PATH
    manifest.parent.mkdir(exist_ok=True)
    content = {"format": _FORMAT, "sha256": file_hashes(folder)}
    manifest.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, str]:
    """SHA-256 by relative path as the manifest of ``folder`` has it.

    Raises:
        ModelRepositoryError: there is no manifest, or it cannot be read.
    """
    path = folder / MANIFEST_PATH
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ModelRepositoryError(f"{path} has format {content['format']!r}, we read {_FORMAT}; {_MEND}")
        return {str(name): str(digest) for name, digest in content["sha256"].items()}
    except OSError as error:
        raise ModelRepositoryError(f"{path} cannot be read ({error.strerror}); {_MEND}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelRepositoryError(f"{path} is no manifest ({error}); {_MEND}") from error


def verify_manifest(folder: Path) -> None:
    """Check every file of a model version against its manifest.

    Raises:
        ModelRepositoryError: a file is missing, changed or not in the manifest.
    """
    expected, found = read_manifest(folder), file_hashes(folder)
    for complaint, names in (
        ("is missing", expected.keys() - found.keys()),
        ("is not in the manifest", found.keys() - expected.keys()),
        ("is damaged", {name for name in expected.keys() & found.keys() if expected[name] != found[name]}),
    ):
        if names:
            raise ModelRepositoryError(f"{folder / min(names)} {complaint}; {_MEND}")
