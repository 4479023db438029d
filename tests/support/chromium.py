"""Debian's chromium without a screen, told what to do over its DevTools protocol (chromedevtools.github.io)."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import websocket

from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.operations.process_group import die_with_parent, end_group

_START_S: Final = 60.0
_ANSWER_S: Final = 30.0
_STOP_S: Final = 10.0
_OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",  # which does not work as root, nor in most containers; it opens our own pages only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",  # which everyone may hear
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


class Page:
    """One page of a browser.

    Attributes:
        said: what the page wrote to its console, and errors that nobody caught.
    """

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.said: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Go there, and wait until the page and its scripts are loaded."""
        answer = self._ask("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript, or the promise that it makes, comes to: JSON values only."""
        answer = self._ask(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"], self.said)
        return answer["result"].get("value")

    def wait_for(self, expression: str, deadline_s: float = 20.0) -> None:
        """Wait until an expression is true."""
        try:
            wait_for(lambda: bool(self.value(expression)), expression, deadline_s)
        except pytest.fail.Exception as error:
            pytest.fail(
                f"{error}; the page shows {self.value('document.body.innerText')!r}, and said {self.said}"
            )

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        end_s = time.monotonic() + _ANSWER_S
        while time.monotonic() < end_s:
            message = json.loads(self._connection.recv())
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return dict(message["result"])
            self._keep(message)
        pytest.fail(f"chromium did not answer {method} in time")

    def _keep(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(parameters["exceptionDetails"]))
        elif message.get("method") == "Runtime.consoleAPICalled":
            self.said.append(json.dumps(parameters["args"]))
        elif message.get("method") == "Log.entryAdded":
            self.said.append(json.dumps(parameters["entry"]))


@contextlib.contextmanager
def opened_page(url: str) -> Iterator[Page]:
    """A page of a browser of its own; skips the test where there is no chromium."""
    program = require_part("chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, open_log(profile) as log:
        process = subprocess.Popen(
            [program, *_OPTIONS, f"--user-data-dir={profile}/profile", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call of libc; tests may be killed
        )
        try:
            connection = websocket.create_connection(_page_address(process, Path(profile)), timeout=_ANSWER_S)
            try:
                page = Page(connection)
                page.open(url)
                yield page
            finally:
                connection.shutdown()
        finally:
            end_group(process, _STOP_S)


@contextlib.contextmanager
def open_log(folder: str) -> Iterator[Any]:
    """Where the browser's own words go."""
    with Path(folder, "chromium.log").open("w") as log:
        yield log


def _page_address(process: subprocess.Popen[bytes], folder: Path) -> str:
    """The WebSocket of its one page."""
    from urllib.request import ProxyHandler, build_opener

    port_file = folder / "profile" / "DevToolsActivePort"

    def is_up() -> bool:
        assert process.poll() is None, (folder / "chromium.log").read_text()
        return port_file.exists() and len(port_file.read_text().splitlines()) >= 2

    wait_for(is_up, "chromium is up", _START_S)
    port = int(port_file.read_text().splitlines()[0])
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=_ANSWER_S) as answer:
        targets = json.load(answer)
    return str(next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page"))
