"""URLs: what is taken, how it is told apart, and that no password is ever shown."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching.urls import MAX_URL_LENGTH, StreamUrl, join_url, parse_url
from tidzam_platform.errors import RefusedAddressError


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "target"),
    [
        ("http://radio.example/stream", "http", "radio.example", 80, "/stream"),
        ("HTTPS://Radio.Example", "https", "radio.example", 443, "/"),
        ("icecast://radio.example/live.ogg", "http", "radio.example", 8000, "/live.ogg"),
        ("rtsp://camera.example/ch1?x=1", "rtsp", "camera.example", 554, "/ch1?x=1"),
        ("http://10.0.0.1:8000/a b/ü#part", "http", "10.0.0.1", 8000, "/a%20b/%C3%BC"),
        ("http://[2001:DB8::0:1]:81/x", "http", "2001:db8::1", 81, "/x"),
        ("http://radio.example?token=1/2", "http", "radio.example", 80, "/?token=1/2"),
        ("http://radio.example./x%20y", "http", "radio.example.", 80, "/x%20y"),
    ],
)
def test_parts_of_a_url(text: str, scheme: str, host: str, port: int, target: str) -> None:
    url = parse_url(text)
    assert (url.scheme, url.host, url.port, url.target) == (scheme, host, port, target)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stream.ogg",
        "/etc/passwd",
        "//radio.example/x",
        "file:///etc/passwd",
        "gopher://radio.example/",
        "ftp://radio.example/",
        "data:audio/ogg;base64,AAAA",
        "concat:http://a.example/|file:///etc/passwd",
        "http:/radio.example/",
        "http:radio.example",
        "http://",
        "http:///path",
        "http://:80/",
        "http://radio.example:0/",
        "http://radio.example:65536/",
        "http://radio.example:/",
        "http://radio.example:80a/",
        "http://radio.example:-1/",
        "http://radio example/",
        "http://radio%2eexample/",
        "http://rädio.example/",
        "http://①②⑦.0.0.1/",
        "http://a@b@radio.example/",
        "http://[::1/",
        "http://::1/",
        "http://[1.2.3.4]/",
        "http://[::1%25eth0]/",
        "http://[::g]/",
        "http://.../",
        "http://radio.example\\@evil.example/",
        "http://radio.example/a\r\nHost: evil.example",
        "http://radio.example/a\tb",
        "http://radio.example/a\0b",
        " http://radio.example/",
        "\nhttp://radio.example/",
        "http://u%0d%0aX-Evil: 1:p@radio.example/",
        "http://radio.example/\udc80",
        "http://radio.example/" + "x" * MAX_URL_LENGTH,
    ],
)
def test_what_is_no_url_of_a_stream_is_refused(text: str) -> None:
    with pytest.raises(RefusedAddressError):
        parse_url(text)


def test_user_and_password_are_decoded_kept_apart_and_never_shown() -> None:
    url = parse_url("http://anna:s%40cret%3A@radio.example:8000/live?token=hidden")
    assert url.login is not None
    assert (url.login.user, url.login.password) == ("anna", "s@cret:")
    assert url.login.origin == ("http", "radio.example", 8000)
    for shown in (str(url), repr(url), repr(url.login)):
        assert "cret" not in shown
        assert "anna" not in shown
        assert "hidden" not in shown
    assert "cret" not in url.whole
    assert url.host_and_port == "radio.example:8000"


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30))
def test_a_refusal_never_shows_what_may_be_a_password(secret: str) -> None:
    for text in (
        f"http://anna:{secret}Zq7@a b/",
        f"http://anna:{secret}Zq7@/",
        f"anna:{secret}Zq7@radio.example",
    ):
        refusal, url = _parsed(text)
        assert f"{secret}Zq7" not in refusal
        if url is not None:  # the secret itself ended the authority: then it is a path like any other
            assert set(secret) & set("/?#")
            assert url.login is None or "@" in secret  # before that end, an empty password stood


def _parsed(text: str) -> tuple[str, StreamUrl | None]:
    """Why it was refused, or the URL."""
    try:
        return "", parse_url(text)
    except RefusedAddressError as error:
        return str(error), None


@given(st.text(max_size=80))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for candidate in (text, f"http://{text}", f"http://radio.example/{text}", f"http://u:p@{text}/x"):
        with contextlib.suppress(RefusedAddressError):
            url = parse_url(candidate)
            assert url.scheme in ("http", "https", "rtsp")
            assert 1 <= url.port <= 65535
            assert url.target.isascii()
            assert url.target.startswith("/")
            assert not any(ord(letter) <= 32 for letter in url.target + url.host)
            assert parse_url(url.whole).whole == url.whole


@pytest.mark.parametrize(
    ("reference", "whole"),
    [
        ("segment-1.ts", "http://radio.example:8000/live/segment-1.ts"),
        ("/other", "http://radio.example:8000/other"),
        ("//cdn.example/x", "http://cdn.example/x"),
        ("https://cdn.example/x?y#z", "https://cdn.example/x?y"),
        ("../../../etc/passwd", "http://radio.example:8000/etc/passwd"),
        ("?part=2", "http://radio.example:8000/live/list.m3u8?part=2"),
    ],
)
def test_references_are_followed_from_where_they_stand(reference: str, whole: str) -> None:
    base = parse_url("http://anna:secret@radio.example:8000/live/list.m3u8?token=1")
    joined = join_url(base, reference)
    assert joined.whole == whole
    assert joined.login is None


@pytest.mark.parametrize(
    "reference",
    [
        "file:///etc/passwd",
        "http://evil.example\n.radio.example/",
        "http://[::1",
        "a\\b",
        "data:,x",
        "x" * 5000,
    ],
)
def test_references_that_lead_out_of_streams_are_refused(reference: str) -> None:
    with pytest.raises(RefusedAddressError):
        join_url(parse_url("http://radio.example/live"), reference)


def test_a_password_in_a_reference_is_left_out() -> None:
    joined = join_url(parse_url("http://radio.example/live"), "http://eve:guess@radio.example/other")
    assert joined.login is None


@given(st.text(max_size=60))
def test_any_reference_leads_to_a_url_or_is_refused(reference: str) -> None:
    with contextlib.suppress(RefusedAddressError):
        joined = join_url(parse_url("https://radio.example/a/b"), reference)
        assert joined.scheme in ("http", "https", "rtsp")
