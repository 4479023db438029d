"""What an S3 server and its client say when something fails, as errors of ours that say how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from tidzam_platform.clock import utc_now
from tidzam_platform.errors import ObjectNotFoundError, StoreError, StoreRefusedError, StoreUnavailableError

_SECRETS: Final = (
    "look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "secrets/s3-credentials in the home, or ~/.aws/credentials"
)
_REMEDIES: Final = {
    "SignatureDoesNotMatch": f"the access key or its secret is wrong: {_SECRETS}",
    "InvalidAccessKeyId": f"it does not know the access key: {_SECRETS}",
    "ExpiredToken": f"the session's token has expired: {_SECRETS}",
    "InvalidToken": f"the session's token is wrong: {_SECRETS}",
    "AccessDenied": "the access key may not do that: let it list, get, put and delete below the prefix",
    "Forbidden": "the access key may not do that, or its secret is wrong: ./tidzam check says which",
    "NoSuchBucket": "there is no such bucket: make it, or name another with TIDZAM_STORE",
}  # fmt: skip
_ALIASES: Final = {
    "403": "Forbidden",
    "AllAccessDisabled": "AccessDenied",
    "AccountProblem": "AccessDenied",
    "TokenRefreshRequired": "ExpiredToken",
}
_CLOCK: Final = ("RequestTimeTooSkewed", "RequestExpired")
_REGION: Final = (
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "301",
    "IllegalLocationConstraintException",
)
_ABSENT: Final = ("NoSuchKey", "NotFound", "404")
_BUSY: Final = (
    "SlowDown",
    "RequestTimeout",
    "ServiceUnavailable",
    "InternalError",
    "Throttling",
    "503",
    "500",
)
FAILED_CONDITION: Final = ("PreconditionFailed", "412")
CONFLICT: Final = ("ConditionalRequestConflict", "OperationAborted", "409")
UNCHANGED: Final = ("304", "NotModified")


def code_of(error: Exception) -> str:
    """The server's word for what went wrong; empty where no server said it."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


@contextmanager
def asking(where: str, what: str) -> Iterator[None]:
    """Raise what goes wrong within as an error of ours.

    Args:
        where: the store, as a person knows it.
        what: is done there, e.g. ``object 'a/b'``.
    """
    from boto3.exceptions import Boto3Error, S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except S3UploadFailedError as error:
        raise _translated(error.__context__ or error, where, what) from error
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise _translated(error, where, what) from error


def _translated(error: BaseException, where: str, what: str) -> StoreError:
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _said_by_the_server(error, where, what)
    return _failed_here(error, where, what)


def _said_by_the_server(error: Any, where: str, what: str) -> StoreError:
    code = code_of(error)
    code = _ALIASES.get(code, code)
    answer = error.response.get("ResponseMetadata", {})
    if code in _ABSENT:
        return ObjectNotFoundError(f"no {what} in {where}")
    if code in _REMEDIES:
        return StoreRefusedError(f"{where} refuses {what} ({code}): {_REMEDIES[code]}")
    if code in _CLOCK:
        return StoreRefusedError(f"{where} refuses {what} ({code}): {_clocks(answer)}")
    if code in _REGION:
        region = answer.get("HTTPHeaders", {}).get("x-amz-bucket-region") or error.response["Error"].get(
            "Region"
        )
        named = (
            f"set s3.region (TIDZAM_S3__REGION) to {region}" if region else "set s3.region or s3.endpoint_url"
        )
        return StoreRefusedError(f"{where} is of another region ({code}): {named}")
    if code in _BUSY or answer.get("HTTPStatusCode", 0) >= 500:
        return StoreUnavailableError(f"{where} failed at {what} ({code}), also when asked again: try later")
    return StoreError(f"{where} failed at {what}: {error}")


def _clocks(answer: dict[str, Any]) -> str:
    """How far apart its clock and ours are."""
    mend = "set this machine's clock (timedatectl set-ntp true)"
    said = answer.get("HTTPHeaders", {}).get("date")
    if not said:
        return f"the clocks differ: {mend}"
    apart_s = (utc_now() - parsedate_to_datetime(said).astimezone(UTC)).total_seconds()
    return f"our clock is {abs(apart_s):.0f} s {'ahead of' if apart_s > 0 else 'behind'} the server's: {mend}"


def _failed_here(error: BaseException, where: str, what: str) -> StoreError:
    from botocore import exceptions as known

    without = (known.NoCredentialsError, known.PartialCredentialsError, known.CredentialRetrievalError)
    if isinstance(error, without):
        return StoreRefusedError(f"{where} wants an access key ({error}): {_SECRETS}")
    if isinstance(error, known.SSLError):
        return StoreRefusedError(
            f"{where} shows a certificate that is not trusted ({error}): "
            "AWS_CA_BUNDLE names the file of the one to trust"
        )
    network = (
        known.ConnectionError,  # nobody there
        known.HTTPClientError,  # cut, or not in time
        known.ResponseStreamingError,
        known.IncompleteReadError,
    )
    if isinstance(error, network):
        return StoreUnavailableError(
            f"{where} does not answer ({error}): look at the network and at s3.endpoint_url, or try later"
        )
    return StoreError(f"{where} failed at {what}: {error}")
