"""Keys that sign manifests: one private key of this home, and the public keys of all homes that it trusts.

Ed25519 (RFC 8032). A key's name is the SHA-256 of its DER form, as ``openssl pkey -pubin -outform DER`` gives it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tidzam_platform.crash_points import reach
from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.files import fsync_folder, partial_path, remove_leavings, write_whole

PRIVATE_KEY: Final = "model_signing_key"
TRUSTED_KEYS: Final = "trusted_model_keys"
_ALGORITHM: Final = "ed25519"
_OTHERS: Final = 0o077  # rights of group and others


class SigningKeys:
    """The keys below ``secrets_folder``; nothing is made before the first signature."""

    def __init__(self, secrets_folder: Path) -> None:
        self._folder = secrets_folder

    @property
    def trusted_folder(self) -> Path:
        """Public keys that are trusted, one PEM file each, by any name that ends with ``.pem``."""
        return self._folder / TRUSTED_KEYS

    def sign(self, data: bytes) -> bytes:
        """The content of a signature file for ``data``: JSON with the key's name and the signature.

        Raises:
            ModelRepositoryError: the private key cannot be made or read, others may read it, or this home does not
                trust it.
        """
        try:
            private = self._read_private() or self._make_private()
        except OSError as error:
            raise ModelRepositoryError(f"no signing key below {self._folder}: {error.strerror}") from error
        name = key_name(private.public_key())
        if name not in self._trusted()[0]:
            raise ModelRepositoryError(
                f"{self._folder / PRIVATE_KEY} is no key that this home trusts: put its public key {name}.pem back "
                f"into {self.trusted_folder}, or remove the private key too and publish with a new one"
            )
        signature = base64.b64encode(private.sign(data)).decode()
        content = {"algorithm": _ALGORITHM, "key": name, "signature": signature}
        return (json.dumps(content, indent=1) + "\n").encode()

    def check(self, data: bytes, signature_file: bytes, what: str) -> None:
        """Check that a trusted key signed ``data``.

        Args:
            data: the exact bytes that were signed.
            signature_file: what ``sign`` gave.
            what: names it in messages.

        Raises:
            ModelRepositoryError: the key is not trusted, or the signature is not of these bytes.
        """
        try:
            content: Any = json.loads(signature_file)
            algorithm, name = content["algorithm"], str(content["key"])
            signature = base64.b64decode(content["signature"], validate=True)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelRepositoryError(f"the signature of {what} cannot be read; publish it again") from error
        if algorithm != _ALGORITHM:
            raise ModelRepositoryError(
                f"{what} is signed by {algorithm!r}, we check {_ALGORITHM}; publish it again"
            )
        trusted, unreadable = self._trusted()
        if name not in trusted:
            raise ModelRepositoryError(
                f"{what} is signed with the key {name!r:.80}, which this home does not trust: if you know the home "
                f"that made it, copy its public key into {self.trusted_folder}; else publish it again here"
                + (f" (no public key: {', '.join(unreadable)})" if unreadable else "")
            )
        try:
            trusted[name].verify(signature, data)
        except InvalidSignature as error:
            raise ModelRepositoryError(
                f"the manifest of {what} is not the one that was signed: somebody changed it, or the disk did; "
                "publish it again"
            ) from error

    def _trusted(self) -> tuple[dict[str, Ed25519PublicKey], list[str]]:
        """Trusted keys by name, and files that hold none."""
        found: dict[str, Ed25519PublicKey] = {}
        unreadable = []
        for path in sorted(self.trusted_folder.glob("*.pem")):
            try:
                key = load_pem_public_key(path.read_bytes())
            except (OSError, ValueError):
                key = None
            if isinstance(key, Ed25519PublicKey):
                found[key_name(key)] = key
            else:
                unreadable.append(path.name)
        return found, unreadable

    def _read_private(self) -> Ed25519PrivateKey | None:
        path = self._folder / PRIVATE_KEY
        try:
            with path.open("rb") as handle:
                if os.fstat(handle.fileno()).st_mode & _OTHERS:
                    raise ModelRepositoryError(
                        f"others may read {path}: chmod 600 it; if somebody may have read it, remove it and its "
                        f"public key in {self.trusted_folder}"
                    )
                data = handle.read()
        except FileNotFoundError:
            return None
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:
            raise ModelRepositoryError(f"{path} holds no signing key: restore it, or remove it") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ModelRepositoryError(f"{path} holds no Ed25519 key: restore it, or remove it")
        return key

    def _make_private(self) -> Ed25519PrivateKey:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_leavings(self._folder)
        key = Ed25519PrivateKey.generate()
        public = self.trusted_folder / f"{key_name(key.public_key())}.pem"
        # The public key first: killed here, a key that nobody can sign with is trusted. The other way round we would
        # not know later whether somebody took the trust away on purpose.
        write_whole(
            public,
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            self._folder,
        )
        reach("repository.key_trusted")
        if not self._write_private(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), self._folder / PRIVATE_KEY
        ):
            public.unlink()  # another process made one at the same moment, which counts
        made = self._read_private()
        assert made is not None  # noqa: S101 - told to the type checker
        return made

    def _write_private(self, data: bytes, path: Path) -> bool:
        """Write the key so that no other user can read it at any moment; False if there is one already."""
        with partial_path(self._folder) as temporary:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)  # unlike a rename it replaces nothing
            except FileExistsError:
                return False
        fsync_folder(self._folder)
        return True


def key_name(key: Ed25519PublicKey) -> str:
    """SHA-256, in hexadecimal, of the key's DER form (SubjectPublicKeyInfo)."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
