"""Who may what: tokens by role, pages of other sites, names that are not ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
import socketio.exceptions

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine
from tidzam_platform.access import Role, TokenStore, make_initial_token

MARSH = {"name": "marsh", "url": "http://example.org/marsh.ogg"}
CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/api/v1/sources", MARSH),
    ("DELETE", "/api/v1/sources/marsh", None),
    ("POST", "/api/v1/sources/marsh/seek", {"date": "2026-04-01-05-30-00"}),
    ("PUT", "/api/v1/mixer/marsh:out_1", {"mute": True}),
    ("DELETE", "/api/v1/mixer/marsh:out_1", None),
]
LOOKS = [
    "/api/v1/sources", "/api/v1/channels", "/api/v1/database", "/api/v1/mixer/audit", "/metrics",
    "/api/v1/generations", "/api/v1/rules", "/api/v1/detections", "/api/v1/clips", "/api/v1/openapi.json",
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_changes_want_role_operate(
    web: WebProcess, engine: FakeEngine, method: str, path: str, body: Any
) -> None:
    before = engine.state()
    for token, status in ((None, 401), ("wrong", 401), (web.token("listen"), 403), (web.token("label"), 403)):
        answer = web.request(method, path, body, token=token)
        assert (answer.status, "error" in answer.body) == (status, True)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert (engine.state(), engine.asked) == (before, [])
    for token in (web.token("operate"), web.token("own"), make_initial_token(web.home / "secrets")):
        assert web.request(method, path, body, token=token).status in (200, 201, 404)
    assert engine.asked


def test_looking_wants_no_token_and_refuses_a_wrong_one(web: WebProcess, engine: FakeEngine) -> None:
    for path in LOOKS:
        assert web.request("GET", path).status == 200, path
    assert web.request("GET", "/api/v1/sources", token="wrong").status == 401


def test_a_token_in_the_address_is_none(web: WebProcess, engine: FakeEngine) -> None:
    token = web.token()
    for query in (f"token={token}", f"access_token={token}", f"Authorization=Bearer%20{token}"):
        assert web.request("POST", f"/api/v1/sources?{query}", MARSH).status == 401


def test_a_revoked_token_is_refused_at_once_and_its_socket_too(web: WebProcess, engine: FakeEngine) -> None:
    made, secret = web.tokens.create(Role.OPERATE)
    with SocketClient(web, secret) as client:
        assert "sys" in client.call("sys", {"sys": {"loadsource": MARSH}})
        TokenStore(web.home / "secrets").revoke(made.id)
        assert web.request("POST", "/api/v1/sources", MARSH, token=secret).status == 401
        refused = client.ask({"sys": {"unloadsource": {"name": "marsh"}}})
        assert "revoked" in refused["warning"]
        assert "marsh" in engine.sources


@pytest.mark.parametrize(
    "auth", [{"token": "wrong"}, {"token": 5}, {"token": "x" * 300}, ["x"], "x", {"t": "x"}]
)
def test_who_connects_with_a_wrong_token_is_refused(web: WebProcess, engine: FakeEngine, auth: Any) -> None:
    client = socketio.Client(reconnection=False)
    told: list[Any] = []
    client.on("connect_error", told.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(web.url, auth=auth, wait_timeout=20, transports=["websocket"])
    client.disconnect()
    assert told[0]["data"] == {"code": "unauthorized"}


def test_a_bearer_header_serves_a_socket_too(web: WebProcess, engine: FakeEngine) -> None:
    client = socketio.Client(reconnection=False)
    client.connect(web.url, headers={"Authorization": f"Bearer {web.token()}"}, transports=["websocket"])
    try:
        assert (
            client.call("sys", {"sys": {"loadsource": MARSH}}, timeout=20)["sys"]["loadsource"]["name"]
            == "marsh"
        )
    finally:
        client.disconnect()


SOCKET = "/socket.io/?EIO=4&transport=polling"


@pytest.mark.parametrize(
    "path",
    ["/", "/listen", "/assets/socket.js", "/api/v1/sources", "/api/v1/nothing", "/ping", "/metrics",
     "/api/v1/openapi.json", SOCKET, "/" + SOCKET],
)  # fmt: skip
def test_other_names_than_ours_are_refused_everywhere(web: WebProcess, path: str) -> None:
    assert web.request("GET", path, headers={"Host": "evil.example"}).status == 421
    assert web.request("GET", path, headers={"Host": "localhost"}).status != 421


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_come_by_any_name(web: WebProcess, engine: FakeEngine, path: str) -> None:
    assert web.request("GET", path, headers={"Host": "web.cluster.local"}).status == 200


def test_pages_of_other_sites_may_not_do_anything(web: WebProcess, engine: FakeEngine) -> None:
    foreign = {"Origin": "https://evil.example"}
    token = web.token()
    for method, path, body in CHANGES:
        answer = web.request(method, path, body, token=token, headers=foreign)
        assert (answer.status, answer.body["code"]) == (403, "foreign_origin")
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert engine.asked == []
    for query in ("transport=polling", "transport=websocket"):
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                   "Sec-WebSocket-Version": "13"}  # fmt: skip
        answer = web.request("GET", f"/socket.io/?EIO=4&{query}", headers={**foreign, **upgrade})
        assert (answer.status, answer.body["code"]) == (403, "foreign_origin")


def test_our_own_pages_may(web: WebProcess, engine: FakeEngine) -> None:
    answer = web.request("POST", "/api/v1/sources", MARSH, token=web.token(), headers={"Origin": web.url})
    assert answer.status == 201
    assert web.request("GET", SOCKET, headers={"Origin": web.url}).status == 200


def test_sites_that_are_allowed_may_and_others_still_not(own_home: Any) -> None:
    origin = "https://map.example.org"
    with FakeEngine(own_home), WebProcess(own_home, allowed_origins=[origin]) as web:
        token = web.token()
        for method, path, body in (
            *CHANGES,
            ("POST", "/api/v1/detect", b"x"),
            ("GET", "/api/v1/channels", None),
        ):
            asked = {"Access-Control-Request-Method": method, "Origin": origin}
            preflight = web.request("OPTIONS", path, headers=asked)
            assert preflight.status == 200
            assert preflight.headers["Access-Control-Allow-Origin"] == origin
            assert method in preflight.headers["Access-Control-Allow-Methods"]
            assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
            answer = web.request(method, path, body, token=token, headers={"Origin": origin})
            assert answer.status not in (401, 403)
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in answer.headers
        polled = web.request("GET", SOCKET, headers={"Origin": origin})
        assert (polled.status, polled.headers["Access-Control-Allow-Origin"]) == (200, origin)
        for other in ("http://map.example.org", "https://map.example.org.evil.example", "null"):
            assert (
                web.request("POST", "/api/v1/sources", MARSH, token=token, headers={"Origin": other}).status
                == 403
            )
            assert web.request("GET", SOCKET, headers={"Origin": other}).status == 403
            looked = web.request("GET", "/api/v1/channels", headers={"Origin": other})
            assert "Access-Control-Allow-Origin" not in looked.headers


def test_where_nobody_may_listen_without_a_token_only_pages_and_probes_are_open(own_home: Any) -> None:
    with FakeEngine(own_home), WebProcess(own_home, anonymous_may_listen=False) as web:
        for path in (*LOOKS, "/ping", "/birds/all", "/api/v1/classes", "/api/v1/nothing"):
            assert web.request("GET", path).status == 401, path
        assert web.request("POST", "/api/v1/detect", b"x").status == 401
        for path in ("/healthz", "/readyz", "/listen", "/capture", "/assets/socket.js"):
            assert web.request("GET", path).status == 200, path
        token = web.token("listen")
        for path in (*LOOKS, "/ping"):
            assert web.request("GET", path, token=token).status == 200, path
        with pytest.raises(socketio.exceptions.ConnectionError), SocketClient(web):
            pass
        with SocketClient(web, token) as client:
            assert client.ask({"sys": {"database": ""}})["sys"]["database"]


def test_tokens_are_in_no_log(web: WebProcess, engine: FakeEngine) -> None:
    token = web.token()
    web.request("POST", "/api/v1/sources", MARSH, token=token)
    web.request("POST", f"/api/v1/sources/{token}", MARSH, token=token)
    with SocketClient(web, token) as client:
        client.ask({"sys": {"nothing": ""}})
    log = web.log.read_text()
    assert token not in log
    assert make_initial_token(web.home / "secrets") not in log
    assert token not in json.dumps([one.name for one in web.tokens.list()])
