"""A version whose manifest is signed: the manifest says what it is made of, the signature who says so."""

from __future__ import annotations

from pathlib import Path

from serving.manifest import (
    MANIFEST_PATH,
    MEND,
    SIGNATURE_PATH,
    parse_manifest,
    read_plain_file,
    verify_files,
    write_manifest,
)
from serving.repository.keys import SigningKeys
from tidzam_platform.errors import ModelRepositoryError


def sign_version(folder: Path, version: int, keys: SigningKeys) -> None:
    """Write manifest and signature of what ``folder`` holds now, to be published as ``version``."""
    write_manifest(folder, version)
    (folder / SIGNATURE_PATH).write_bytes(keys.sign((folder / MANIFEST_PATH).read_bytes()))


def verify_version(folder: Path, version: int, keys: SigningKeys) -> None:
    """Check that a trusted key signed the manifest of ``folder`` as that of ``version``, and every file against it.

    Raises:
        ModelRepositoryError: the signature is missing, of a key that is not trusted or of another manifest; it is
            of another version; a file is missing, changed or not in the manifest.
    """
    data = read_plain_file(folder / MANIFEST_PATH)
    if not (folder / SIGNATURE_PATH).exists():
        raise ModelRepositoryError(f"{folder} is not signed: {MEND}, which signs it")
    keys.check(data, read_plain_file(folder / SIGNATURE_PATH), str(folder))
    manifest = parse_manifest(data, folder / MANIFEST_PATH)  # the very bytes whose signature was checked
    if manifest.version != version:
        raise ModelRepositoryError(
            f"{folder} was signed as version {manifest.version}: a version keeps its number; remove this copy"
        )
    verify_files(folder, manifest)
