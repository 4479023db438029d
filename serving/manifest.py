"""The manifest of a model version: the SHA-256 of every file, so that a damaged version is never loaded.

Beside it stands its signature, which ``serving.repository`` makes and checks; neither lists itself or the other.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.files import sha256_of_file

MANIFEST_PATH: Final = Path("assets.extra") / "manifest.json"
SIGNATURE_PATH: Final = Path("assets.extra") / "manifest.signature.json"
_FORMAT: Final = 1
MEND: Final = (
    "publish the generation again (./tidzam generation run --dataset VERSION exports what is trained already)"
)


@dataclass(frozen=True)
class Manifest:
    """What a version is made of.

    Attributes:
        sha256: hexadecimal SHA-256 of each file by its path relative to the version's folder.
        version: the number that it was published as; None in a folder that is only staged.
    """

    sha256: dict[str, str]
    version: int | None


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` by its relative path, manifest and signature left out.

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
        if path.is_file() and relative not in (MANIFEST_PATH, SIGNATURE_PATH):
            hashes[relative.as_posix()] = sha256_of_file(path)
    return hashes


def write_manifest(folder: Path, version: int | None = None) -> None:
    """Write the manifest of what ``folder`` holds now, as ``version`` where it is about to be published."""
    manifest = folder / MANIFEST_PATH
    manifest.parent.mkdir(exist_ok=True)
    content: dict[str, Any] = {"format": _FORMAT, "sha256": file_hashes(folder)}
    if version is not None:
        content["version"] = version
    manifest.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of ``folder``.

    Raises:
        ModelRepositoryError: there is no manifest, or it cannot be read.
    """
    path = folder / MANIFEST_PATH
    return parse_manifest(read_plain_file(path), path)


def read_plain_file(path: Path) -> bytes:
    """All of a file of a version; ModelRepositoryError if it is absent, unreadable, a link or a pipe."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ModelRepositoryError(f"{path} is no plain file; {MEND}")
        return path.read_bytes()
    except OSError as error:
        raise ModelRepositoryError(f"{path} cannot be read ({error.strerror}); {MEND}") from error


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """The manifest in ``data``, which was read from ``path``; ModelRepositoryError if it is none."""
    try:
        content: Any = json.loads(data)
        if content["format"] != _FORMAT:
            raise ModelRepositoryError(f"{path} has format {content['format']!r}, we read {_FORMAT}; {MEND}")
        version = content.get("version")
        return Manifest(
            {str(name): str(digest) for name, digest in content["sha256"].items()},
            None if version is None else int(version),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelRepositoryError(f"{path} is no manifest ({error}); {MEND}") from error


def verify_manifest(folder: Path) -> None:
    """Check every file of ``folder`` against its manifest; who wrote the manifest is not asked.

    Raises:
        ModelRepositoryError: a file is missing, changed or not in the manifest.
    """
    verify_files(folder, read_manifest(folder))


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check every file of ``folder`` against ``manifest``; raises as ``verify_manifest`` does."""
    expected, found = manifest.sha256, file_hashes(folder)
    for complaint, names in (
        ("is missing", expected.keys() - found.keys()),
        ("is not in the manifest", found.keys() - expected.keys()),
        ("is damaged", {name for name in expected.keys() & found.keys() if expected[name] != found[name]}),
    ):
        if names:
            raise ModelRepositoryError(f"{folder / min(names)} {complaint}; {MEND}")
