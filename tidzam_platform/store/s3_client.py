"""The client that speaks to an S3 server: deadlines, retries, signatures, and where its secrets come from."""

from __future__ import annotations

import configparser
import ipaddress
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tidzam_platform.errors import StoreRefusedError
from tidzam_platform.platform_sections import S3Settings

CREDENTIALS_FILE: Final = "s3-credentials"  # in the folder of secrets
MAX_CONNECTIONS: Final = 16  # decoders, uploads in parts and readers side by side
_DEFAULT_REGION: Final = "us-east-1"
_SECTION: Final = "default"
_NAMES: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
# Who sets one of these for this process means it, whatever the home's file says.
_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE")


def make_client(settings: S3Settings, credentials_file: Path) -> Any:
    """A client of boto3's for S3, for any number of threads. Nothing is asked yet.

    Secrets come from AWS_ACCESS_KEY_ID and its like, else from ``credentials_file`` where there is one, else from what
    boto3 finds by itself (``~/.aws``, the role of the machine or the container).

    Raises:
        StoreRefusedError: the credentials' file cannot be used, or others may read it.
    """
    import boto3
    from botocore.config import Config

    credentials = {} if any(map(os.environ.get, _VARIABLES)) else _credentials(credentials_file)
    with _what_boto3_cannot_make():
        session = boto3.session.Session(**credentials)
        return session.client(
            "s3",
            endpoint_url=settings.endpoint_url or None,
            region_name=settings.region or session.region_name or _DEFAULT_REGION,
            config=Config(
                connect_timeout=settings.connect_timeout_s,
                read_timeout=settings.read_timeout_s,
                retries={"mode": "standard", "total_max_attempts": settings.attempts},
                max_pool_connections=MAX_CONNECTIONS,
                tcp_keepalive=True,
                # A server of one's own seldom has a name for every bucket.
                s3={
                    "addressing_style": _addressing(settings),
                    "payload_signing_enabled": True,  # a byte that changes on the way is found by the server
                },
                # Checksums in trailers are Amazon's; others refuse them, and the signature covers the bytes anyway.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                proxies={} if _is_here(settings.endpoint_url) else None,
            ),
        )


def endpoint_of(client: Any) -> str:
    """The URL that a client asks."""
    return str(client.meta.endpoint_url)


def _addressing(settings: S3Settings) -> str:
    if settings.addressing != "auto":
        return settings.addressing
    return "path" if settings.endpoint_url else "auto"


def _is_here(url: str) -> bool:
    """Whether the server is of this machine: no proxy leads there."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _credentials(file: Path) -> dict[str, str]:
    """What the home's file says; empty where there is none."""
    if not file.exists():
        return {}
    mend = f"write [{_SECTION}] with {_NAMES[0]} and {_NAMES[1]}, as in ~/.aws/credentials"
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise StoreRefusedError(f"{file} may be read by others: change the secret, then chmod 600 {file}")
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(file.read_text())
    except OSError as error:
        raise StoreRefusedError(f"{file} cannot be read: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError):
        # Neither the error nor its cause: both repeat the line, which may be the secret.
        raise StoreRefusedError(f"{file} is no file of credentials: {mend}") from None
    section = parser[_SECTION] if parser.has_section(_SECTION) else {}
    found = {name: section[name] for name in _NAMES if section.get(name)}
    if not all(name in found for name in _NAMES[:2]):
        raise StoreRefusedError(f"{file} lacks {' or '.join(_NAMES[:2])}: {mend}")
    return found


@contextmanager
def _what_boto3_cannot_make() -> Iterator[None]:
    """Its own files and variables may be wrong, too."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except BotoCoreError as error:
        raise StoreRefusedError(f"the client for S3 cannot be made: {error}; mend AWS_* or ~/.aws") from error
    except ValueError as error:  # an endpoint that is no URL
        raise StoreRefusedError(f"the client for S3 cannot be made: {error}; mend s3.endpoint_url") from error
