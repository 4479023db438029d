"""Signatures of webhooks, as the Standard Webhooks specification 1.0 has them (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from tidzam_platform.errors import OutputError

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
_PREFIX: Final = "whsec_"  # of a key in Base64
_VERSION: Final = "v1"


def signature_headers(secret: str, identity: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers that a receiver checks.

    Args:
        secret: ``whsec_`` and a key in Base64, or any other text, whose UTF-8 bytes are the key.
        identity: of what is sent; the same in every try.
        timestamp_s: when it is sent, seconds since 1970; receivers refuse old ones, so that nothing can be replayed.
        body: as it is sent.

    Raises:
        OutputError: the secret says that it is Base64, and is not.
    """
    signed = f"{identity}.{timestamp_s}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return {
        ID_HEADER: identity,
        TIMESTAMP_HEADER: str(timestamp_s),
        SIGNATURE_HEADER: f"{_VERSION},{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise OutputError(
            f"a secret that begins with {_PREFIX} is Base64 after it; this one is not"
        ) from error
