"""The pages: served with a strict policy, from our own files alone; their Socket.IO client against the real server."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streamer.web import pages
from tests.streamer.web.web_process import WebProcess
from tests.support.fake_engine import FakeEngine
from tests.support.parts import require_part
from tests.support.waiting import wait_for

FOLDER = Path(pages.__file__).parent
MAX_CLIENT_LINES = 150
# In node the module is told where it is by nobody, so what a page would do is written around it.
SCRIPT = """
const { Socket } = await import(%(module)s);
const sent = [];
const told = [];
const socket = new Socket(%(url)s, { auth: %(auth)s, onState: async (state, why) => {
  sent.push([state, why ?? ""]);
  if (state === "refused") done();
  if (state !== "connected") return;
  const answers = [
    await socket.request("sys", { sys: { database: "" } }),
    await socket.request("audio",
      { buffer: new Int16Array([1, -2, 3, 32767]).buffer, samplerate: 16000, storage: false }),
    await socket.request("audio", new Int16Array([5]).buffer),
    await socket.request("sys", "text"),
  ];
  sent.push(answers, socket.connected, socket.bufferedBytes);
  done();
}});
socket.on("sys", (answer) => told.push(answer));
function done() {
  setTimeout(() => { socket.close(); console.log(JSON.stringify({ sent, told })); }, 300);
}
"""


def node_with_websockets() -> Path:
    """node, which speaks WebSocket from 20.10 on; Debian 12 has an older one."""
    node = require_part("node")
    version = subprocess.run(
        [node, "--version"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    if tuple(map(int, version.strip().removeprefix("v").split(".")[:2])) < (20, 10):
        pytest.skip(
            f"node {version.strip()} has no WebSocket: 20.10 is the first; chromium's tests say the same"
        )
    return node


def run_client(web: WebProcess, token: str | None, folder: Path) -> Any:
    module = folder / "socket.mjs"
    module.write_bytes((FOLDER / "socket.js").read_bytes())
    script = SCRIPT % {
        "module": json.dumps(module.as_uri()),
        "url": json.dumps(web.url),
        "auth": json.dumps({"token": token} if token else None),
    }
    (folder / "run.mjs").write_text(script)
    done = subprocess.run(
        [node_with_websockets(), "--experimental-websocket", "--no-warnings", folder / "run.mjs"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_pages_client_speaks_the_protocol(web: WebProcess, engine: FakeEngine, tmp_path: Path) -> None:
    ran = run_client(web, web.token(), tmp_path)
    state, answers, connected, buffered = ran["sent"]
    assert (state, connected, buffered) == (["connected", ""], True, 0)
    assert answers[0]["sys"]["database"]["marsh"]["nb_channels"] == 2
    assert answers[1:3] == [{"dropped_frames": 0}] * 2
    assert answers[3]["error"] == "request must be a JSON."
    assert [sorted(told) for told in ran["told"]] == [
        ["sys"], ["filename", "portname", "samplerate", "sys"], ["error", "request-origin"],
    ]  # fmt: skip
    pushed = [arguments for command, arguments in engine.asked if command == "live.push"]
    assert [(one["pcm"], one["rate_hz"]) for one in pushed] == [("AQD+/wMA/38=", 16_000), ("BQA=", 16_000)]
    wait_for(lambda: engine.live == {}, "its leaving is noticed")


def test_the_pages_client_is_told_why_it_is_refused(
    web: WebProcess, engine: FakeEngine, tmp_path: Path
) -> None:
    ((state, why),) = run_client(web, "wrong", tmp_path)["sent"]
    assert state == "refused"
    assert "not known" in why


def test_the_client_is_small_and_ours() -> None:
    lines = (FOLDER / "socket.js").read_text().splitlines()
    assert len(lines) < MAX_CLIENT_LINES
    for file in FOLDER.iterdir():
        assert file.suffix in (".js", ".html", ".css", ".svg", ".py") or file.name == "__pycache__"
        assert not file.is_file() or max(map(len, file.read_text().splitlines())) < 160, "nothing minified"


@pytest.mark.parametrize("path", ["/listen", "/capture"])
def test_a_page_may_load_nothing_but_our_own_files(web: WebProcess, path: str) -> None:
    answer = web.request("GET", path)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    text = answer.body.decode()
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["media-src"] == ("*:8000" if path == "/listen" else "'none'")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    expected = "microphone=(self)" if path == "/capture" else "microphone=()"
    assert answer.headers["Permissions-Policy"].startswith(expected)
    assert not re.search(r"<style|style=|<script>|\son[a-z]+=|javascript:", text), "nothing inline"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert loaded
    for target in loaded:
        assert target.startswith("/")
        assert web.request("GET", target).status == 200


@pytest.mark.parametrize("name", ["socket.js", "capture.js", "hearing.js", "listen.js", "pcm16_worklet.js"])
def test_scripts_load_nothing_from_elsewhere(web: WebProcess, name: str) -> None:
    answer = web.request("GET", f"/assets/{name}")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = re.sub(r"^\s*//.*$", "", answer.body.decode(), flags=re.MULTILINE)
    assert not re.search(r"https?://|innerHTML|eval\(|document\.write", text)
    for target in re.findall(r'(?:from|addModule\()\s*"([^"]+)"', text):
        assert web.request("GET", target).status == 200


@pytest.mark.parametrize(
    "name", ["../app.py", "__init__.py", "..%2fapp.py", "capture.html", "nothing.js", "%00"]
)
def test_no_other_file_is_an_asset(web: WebProcess, name: str) -> None:
    assert web.request("GET", f"/assets/{name}").status == 404


def test_the_root_leads_to_the_page_to_listen(web: WebProcess) -> None:
    answer = web.request("GET", "/")
    assert (answer.status, answer.headers["Location"]) == (302, "/listen")


def test_the_scripts_are_well_formed(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.js"):
        module = tmp_path / f"{file.stem}.mjs"
        module.write_bytes(file.read_bytes())
        checked = subprocess.run(
            [require_part("node"), "--check", module], capture_output=True, text=True, timeout=60, check=False
        )
        assert checked.returncode == 0, checked.stderr
