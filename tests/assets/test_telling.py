"""A run that failed is told: in the log, and to a webhook whose URL nothing shows."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from assets.upkeep import telling
from assets.upkeep.telling import RunFailed, tell
from tidzam_platform.errors import SettingsError
from tidzam_platform.operations.ports import free_port
from tidzam_platform.settings import Settings

FAILED = RunFailed(
    "make_generation", "7c0e", "birds", "too few clips", "http://127.0.0.1:3000/runs/7c0e", False
)
SECRET = "/hooks/abc123"


@contextmanager
def receiver(*answers: int) -> Iterator[tuple[int, list[dict[str, object]]]]:
    """A server that answers each POST with the next status."""
    got: list[dict[str, object]] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(left.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, got
        finally:
            server.shutdown()
            thread.join()


def with_webhook(home: Settings, url: str) -> Settings:
    file = home.home / "webhook"
    file.write_text(url + "\n")
    return home.model_copy(update={"dagster": home.dagster.model_copy(update={"failure_webhook_file": file})})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_PAUSE_S", 0.01)


def test_without_a_webhook_the_log_tells_it(home: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "tidzam.dagster"):
        assert tell(home, FAILED)
    assert "run 7c0e of make_generation (birds) failed: too few clips" in caplog.text


def test_the_webhook_gets_it_as_json_at_the_second_attempt(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver(503, 204) as (port, got):
        assert tell(with_webhook(home, f"http://127.0.0.1:{port}{SECRET}"), FAILED)
    assert len(got) == 2
    assert (got[1]["event"], got[1]["job"], got[1]["message"]) == (
        "run_failed",
        "make_generation",
        "too few clips",
    )
    assert "503" in caplog.text
    assert SECRET not in caplog.text


def test_a_long_message_is_cut(home: Settings) -> None:
    with receiver(200) as (port, got):
        tell(with_webhook(home, f"http://127.0.0.1:{port}/"), replace(FAILED, message="x" * 100_000))
    assert len(str(got[0]["message"])) == 2000


def test_nobody_there_is_no_error_and_shows_no_url(home: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings = with_webhook(home, f"http://127.0.0.1:{free_port()}{SECRET}")
    assert not tell(settings, FAILED)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("content", ["", "file:///etc/passwd", "http://a b", "https://a\nhttps://b"])
def test_a_file_that_holds_no_url_is_refused(home: Settings, content: str) -> None:
    with pytest.raises(SettingsError, match="one http or https URL"):
        tell(with_webhook(home, content), FAILED)


def test_a_file_that_is_not_there_is_told_by_name(home: Settings, tmp_path: Path) -> None:
    missing = tmp_path / "nothing"
    settings = home.model_copy(
        update={"dagster": home.dagster.model_copy(update={"failure_webhook_file": missing})}
    )
    with pytest.raises(SettingsError, match="nothing cannot be read"):
        tell(settings, FAILED)
