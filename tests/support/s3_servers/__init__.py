"""S3 servers for the tests, started on free ports of loopback; each runs with the Python of their environment.

``moto`` is quick and takes any secret. ``swift`` is OpenStack Swift, a real object store that checks signatures.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tests.support.parts import require_environment
from tests.support.server_process import HttpServerProcess
from tidzam_platform.operations.server_environment import S3_SERVERS
from tidzam_platform.platform_sections import S3Settings
from tidzam_platform.store import S3Location, S3Store

Kind = Literal["moto", "swift"]
REGION: Final = "eu-west-1"
BUCKET: Final = "tidzam-tests"
KEY: Final = "test:tester"
_PREPARE: Final = "./tidzam test --prepare"
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class S3Server:
    """A running server with an empty bucket ``BUCKET``."""

    url: str
    secret: str

    @property
    def credentials(self) -> dict[str, str]:
        """Variables of the environment that let a client in."""
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": self.secret}

    def settings(self, **changes: Any) -> S3Settings:
        """The section ``s3``; few tries, as the server is near."""
        return S3Settings(**{"endpoint_url": self.url, "region": REGION, "attempts": 3, **changes})

    def variables(self) -> dict[str, str]:
        """Variables for commands: a store of its own for each call."""
        section = self.settings().model_dump(exclude_defaults=True)
        named = {f"TIDZAM_S3__{name.upper()}": str(value) for name, value in section.items()}
        return {**self.credentials, **named, "TIDZAM_STORE": str(fresh_location())}

    def toml(self) -> str:
        """The section ``s3`` of a file of settings."""
        return f'[s3]\nendpoint_url = "{self.url}"\nregion = "{REGION}"\n'

    def store(self, folder: Path, location: S3Location | None = None, **changes: Any) -> S3Store:
        """A store below a prefix of its own; the caller's environment must have the credentials."""
        cache, credentials = folder / "cache", folder / "s3-credentials"
        return S3Store(location or fresh_location(), self.settings(**changes), cache, credentials)


def fresh_location() -> S3Location:
    """Where nothing is yet."""
    return S3Location(BUCKET, f"t/{secrets.token_hex(6)}")


@contextmanager
def running_s3_server(kind: Kind, folder: Path) -> Iterator[S3Server]:
    """Start a server, stop it afterwards; the kernel stops it if the tests are killed.

    Skips the test where the servers are not installed; fails it instead when TIDZAM_TEST_REQUIRE_PARTS=1.
    """
    python = require_environment(S3_SERVERS, f"servers of S3 ({_PREPARE})")
    secret = secrets.token_hex(16)
    arguments = [str(_HERE / f"{kind}_server.py")]
    if kind == "swift":
        (folder / "accounts.json").write_text(json.dumps({KEY: secret}))
        arguments += [str(folder), REGION]
    with _Server(folder, arguments, _ALONE, python) as process:
        server = S3Server(process.url, secret)
        _make_bucket(server)
        yield server


class _Server(HttpServerProcess):
    name = "S3 server"


# moto reads the caller's AWS_* and files otherwise.
_ALONE: Final[Mapping[str, str]] = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _make_bucket(server: S3Server) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.session.Session(KEY, server.secret).client(
        "s3",
        endpoint_url=server.url,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.close()
