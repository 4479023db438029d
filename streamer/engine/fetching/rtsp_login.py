"""User and password for an RTSP server: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2617 as cameras speak it)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from streamer.engine.fetching.http import basic_authorization
from streamer.engine.fetching.urls import Login

_PARAMETER: Final = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,\s*|$)')


class RtspLogin:
    """Answers the challenge of a server.

    The password never leaves this object but in the header that is sent to the server.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._digest: dict[str, str] | None = None
        self._is_basic = False
        self._uses = 0

    def take_challenge(self, challenges: Sequence[str]) -> bool:
        """Choose among what ``WWW-Authenticate`` offers; returns whether one of them can be answered."""
        for challenge in challenges:
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() == "digest":
                found = _parameters(rest)
                usable = _hash_of(found) is not None and "realm" in found and "nonce" in found
                if usable and ("qop" not in found or "auth" in _options(found["qop"])):
                    self._digest, self._uses = found, 0
                    return True
        self._is_basic = any(challenge.strip().lower().startswith("basic") for challenge in challenges)
        return self._is_basic

    def authorization(self, method: str, uri: str) -> str | None:
        """The value of ``Authorization`` for a request; None as long as nothing was asked for."""
        if self._digest is not None:
            return self._digest_for(self._digest, method, uri)
        return basic_authorization(self._login) if self._is_basic else None

    def _digest_for(self, challenge: dict[str, str], method: str, uri: str) -> str:
        digest = _hash_of(challenge)
        assert digest is not None  # noqa: S101 - looked at when the challenge was taken
        self._uses += 1
        user, realm, nonce = _bytewise(self._login.user), challenge["realm"], challenge["nonce"]
        first = digest(f"{user}:{realm}:{_bytewise(self._login.password)}")
        second = digest(f"{method}:{uri}")
        said = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
        plain = {"algorithm": challenge["algorithm"]} if "algorithm" in challenge else {}
        if "qop" in challenge:
            count, own = f"{self._uses:08x}", secrets.token_hex(8)
            said["response"] = digest(f"{first}:{nonce}:{count}:{own}:auth:{second}")
            said["cnonce"] = own
            plain |= {"qop": "auth", "nc": count}
        else:
            said["response"] = digest(f"{first}:{nonce}:{second}")
        if "opaque" in challenge:
            said["opaque"] = challenge["opaque"]
        fields = [f'{key}="{_quoted(value)}"' for key, value in said.items()]
        return "Digest " + ", ".join([*fields, *(f"{key}={value}" for key, value in plain.items())])


def _parameters(text: str) -> dict[str, str]:
    return {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(text)
    }


def _options(text: str) -> list[str]:
    return [option.strip().lower() for option in text.split(",")]


def _hash_of(challenge: dict[str, str]) -> Callable[[str], str] | None:
    """What the challenge wants hashes made by; None if we have no such."""
    algorithm = challenge.get("algorithm", "MD5").upper()
    if algorithm == "MD5":  # the server chooses; it only has to prove that the password is known
        return lambda text: hashlib.md5(text.encode("latin-1"), usedforsecurity=False).hexdigest()
    if algorithm == "SHA-256":
        return lambda text: hashlib.sha256(text.encode("latin-1")).hexdigest()
    return None


def _bytewise(text: str) -> str:
    """UTF-8, each byte as one character, as headers hold it."""
    return text.encode().decode("latin-1")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
