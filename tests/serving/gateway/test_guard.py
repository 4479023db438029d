"""Pages of other sites reach nothing: Host and Origin are looked at, and a token is wanted where it matters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.gateway import create_gateway_app
from serving.gateway.access_token import require_owner
from serving.gateway.guard import require_known_caller
from serving.gateway.hearing import GatewayCore
from serving.gateway.refusals import HttpRefusalError
from tests.support.crash import run_and_crash
from tidzam_platform.access import INITIAL_FILE, Role, TokenStore, make_initial_token
from tidzam_platform.settings import GatewaySettings, Settings

KNOWN = ("ears.example.org",)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:8502", "LOCALHOST", "127.0.0.1:8502", "[::1]:8502", "192.168.1.7",
        "ears.example.org", "Ears.Example.Org:443", "ears.example.org.",
    ],
)  # fmt: skip
def test_our_names_and_numeric_addresses_are_answered(host: str) -> None:
    require_known_caller("GET", host, None, KNOWN)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (None, 400), ("", 400), ("a b", 400), ("localhost:port", 400), ("localhost:80:80", 400),
        ("http://localhost", 400),
        ("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.nip.io", 421), ("example.org", 421),
        ("xears.example.org", 421), ("2130706433", 421), ("0x7f.1", 421), ("127.1", 421),
    ],
)  # fmt: skip
def test_other_names_are_not(host: str | None, status: int) -> None:
    with pytest.raises(HttpRefusalError) as refused:
        require_known_caller("GET", host, None, KNOWN)
    assert refused.value.status == status


@given(st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,10}){0,3}\.[a-z]{2,5}", fullmatch=True))
def test_no_name_that_was_not_allowed_is_ours(name: str) -> None:
    with pytest.raises(HttpRefusalError):
        require_known_caller("GET", name, None, ())


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8502", None), ("127.0.0.1:8502", "http://127.0.0.1:8502"), ("localhost:1", "http://localhost:1"),
        ("10.0.0.1:8502", "https://ears.example.org"),  # a proxy in front of us
    ],
)  # fmt: skip
def test_programs_and_our_own_pages_may_send(host: str, origin: str | None) -> None:
    require_known_caller("POST", host, origin, KNOWN)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://127.0.0.1:3000",
        "http://127.0.0.1:8502.evil.example",
        "file://",
        "http://[",
        "http://[::1",
        "http://a\u2100b",
    ],
)
def test_pages_of_other_sites_may_not_send(origin: str) -> None:
    with pytest.raises(HttpRefusalError) as refused:
        require_known_caller("POST", "127.0.0.1:8502", origin, KNOWN)
    assert refused.value.status == 403
    require_known_caller("GET", "127.0.0.1:8502", origin, KNOWN)  # they cannot read the answer


@pytest.mark.parametrize("allowed", ["https://map.example.org", "https://Map.example.org/"])
def test_origins_that_are_allowed_are_compared_whole(allowed: str) -> None:
    require_known_caller("POST", "127.0.0.1:8502", "https://map.example.org", KNOWN, [allowed])
    for origin in (
        "http://map.example.org",
        "https://map.example.org:8443",
        "https://map.example.org.evil.example",
    ):
        with pytest.raises(HttpRefusalError):
            require_known_caller("POST", "127.0.0.1:8502", origin, KNOWN, [allowed])
    with pytest.raises(HttpRefusalError):
        require_known_caller("POST", "evil.example", "https://map.example.org", KNOWN, [allowed])


@given(st.text() | st.text("htp:/[]@.1").map("http://".__add__))
def test_whatever_a_foreign_origin_is_it_is_refused(origin: str) -> None:
    assume("127.0.0.1:8502" not in origin and KNOWN[0] not in origin.lower())
    with pytest.raises(HttpRefusalError) as refused:
        require_known_caller("POST", "127.0.0.1:8502", origin, KNOWN)
    assert refused.value.status == 403


@pytest.fixture
def app(home: Settings) -> Iterator[Flask]:
    settings = home.model_copy(update={"gateway": GatewaySettings(allowed_hosts=KNOWN)})
    core = GatewayCore(settings)
    yield create_gateway_app(settings, core=core)
    core.close()


@pytest.mark.parametrize(
    "path",
    ["/", "/ping", "/birds/1", "/api/v1/openapi.json", "/api/v1/generations", "/nothing", "/api/v1/detect"],
)
def test_every_path_looks_at_the_host(app: Flask, path: str) -> None:
    answer = app.test_client().get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert answer.json[{"ping": "message", "birds": "message"}.get(path.split("/")[1], "error")]
    assert app.test_client().get(path, headers={"Host": KNOWN[0]}).status_code != 421


@pytest.mark.parametrize("path", ["/api/v1/detect", "/detect/binary", "/api/v1/generations/rollback"])
def test_every_path_that_does_something_looks_at_the_origin(app: Flask, path: str) -> None:
    for origin in ("https://evil.example", "http://["):
        assert app.test_client().post(path, headers={"Origin": origin}).status_code == 403


def test_a_process_killed_while_it_makes_the_token_leaves_no_second_copy(home: Settings) -> None:
    run_and_crash(["serve", "--http", "--port", "0"], "access.token_linked", home.home)
    folder = home.home / "secrets"
    made = (folder / INITIAL_FILE).read_text().strip()
    assert len(files_below(folder)) > 1
    assert make_initial_token(folder) == made
    assert files_below(folder) == [INITIAL_FILE]


def files_below(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_only_a_token_of_role_own_opens(tmp_path: Path) -> None:
    tokens = TokenStore(tmp_path)
    initial = make_initial_token(tmp_path)
    made, secret = tokens.create(Role.OWN)
    assert require_owner(f"Bearer {initial}", tokens).name == "initial"
    assert require_owner(f"bearer {secret}", tokens).id == made.id
    for header in (None, "", secret, "Bearer", "Bearer ", "Bearer wrong", f"Bearer {secret}t", f"Basic {secret}",
                   "Bearer \u00e9", "Bearer \udcff"):  # fmt: skip
        with pytest.raises(HttpRefusalError) as refused:
            require_owner(header, tokens)
        assert refused.value.status == 401
        assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")
        assert secret not in refused.value.message
    for role in (Role.LISTEN, Role.LABEL, Role.OPERATE):
        with pytest.raises(HttpRefusalError) as refused:
            require_owner(f"Bearer {tokens.create(role)[1]}", tokens)
        assert refused.value.status == 403
    tokens.revoke(made.id)
    with pytest.raises(HttpRefusalError) as refused:
        require_owner(f"Bearer {secret}", tokens)
    assert refused.value.status == 401
