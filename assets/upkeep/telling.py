"""Telling people of a run that failed: in the log, and by a webhook where the settings name one."""

from __future__ import annotations

import json
import logging
import random
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from http.client import HTTPException
from typing import Final

from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings

_LOG: Final = logging.getLogger("tidzam.dagster")
_ATTEMPTS: Final = 3
_TIMEOUT_S: Final = 5.0  # an attempt; a sensor has a minute in all
_PAUSE_S: Final = 2.0
_LONGEST_MESSAGE: Final = 2000


@dataclass(frozen=True)
class RunFailed:
    """What is told.

    Attributes:
        job: its name; ``run``: its id; ``partition``: of the run, may be empty.
        message: why, in words.
        url: of its page.
        will_retry: Dagster tries it again by itself.
    """

    job: str
    run: str
    partition: str
    message: str
    url: str
    will_retry: bool


def tell(settings: Settings, failed: RunFailed) -> bool:
    """Log it, and POST it as JSON to the webhook; whether the webhook took it, or none is set.

    Raises:
        SettingsError: the file of ``dagster.failure_webhook_file`` cannot be read, or holds no http(s) URL.
    """
    of_what = f"{failed.job}{f' ({failed.partition})' if failed.partition else ''}"
    _LOG.error("run %s of %s failed: %s", failed.run, of_what, failed.message)
    url = webhook_url(settings)
    if url is None:
        return True
    told = asdict(failed) | {"message": failed.message[:_LONGEST_MESSAGE]}
    body = json.dumps({"event": "run_failed", "at": format_utc(utc_now()), **told})
    for attempt in range(1, _ATTEMPTS + 1):
        if (problem := _post(url, body.encode())) is None:
            return True
        _LOG.warning("the webhook for failed runs did not take it (attempt %d): %s", attempt, problem)
        if attempt < _ATTEMPTS:
            time.sleep(random.uniform(0, _PAUSE_S * attempt))  # noqa: S311 - jitter, no secret
    return False


def webhook_url(settings: Settings) -> str | None:
    """The URL in the file that the settings name; who knows it may send there, so nothing ever shows it."""
    file = settings.dagster.failure_webhook_file
    if file is None:
        return None
    try:
        url = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"dagster.failure_webhook_file: {file} cannot be read: {error}") from error
    if not url.startswith(("https://", "http://")) or any(one.isspace() for one in url):
        raise SettingsError(f"dagster.failure_webhook_file: {file} shall hold one http or https URL")
    return url


def _post(url: str, body: bytes) -> str | None:
    """None if it was taken, else why not; the URL stays unsaid."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - webhook_url lets http(s) through alone
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return type(error).__name__
