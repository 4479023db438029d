"""How a source is described: what is taken, what is refused, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.reserved_names import RESERVED_NAMES
from streamer.engine.sources import SourceKind, SourceSpecification
from streamer.engine.sources.channel_choice import MAX_CHANNELS, parse_channels
from streamer.engine.sources.devices import AlsaDevice, JackPorts, parse_device
from streamer.engine.sources.inheritance import inherit
from tidzam_platform.errors import SourceError

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PAST = "2026-04-01-05-00-00"
FUTURE = "2036-04-01-05-00-00"


def parsed(**request: Any) -> SourceSpecification:
    return SourceSpecification.parse({"name": "marsh"} | request)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"url": "http://example.org/a.ogg"}, SourceKind.URL),
        ({"url": "rtsp://example.org/a"}, SourceKind.URL),
        ({"path": "marsh.wav"}, SourceKind.FILE),
        ({"database": "marsh", "date": PAST}, SourceKind.ARCHIVE),
        ({"database": "marsh"}, SourceKind.ARCHIVE),
        ({"date": PAST}, SourceKind.ARCHIVE),
        ({"url": "http://example.org/a.ogg", "date": PAST}, SourceKind.ARCHIVE),
        ({"url": "http://example.org/a.ogg", "date": FUTURE}, SourceKind.URL),
        ({"device": "alsa:hw:1,0"}, SourceKind.DEVICE),
        ({"live": True}, SourceKind.LIVE),
    ],
)
def test_says_where_the_audio_comes_from(request_: dict[str, Any], kind: SourceKind) -> None:
    assert parsed(**request_).kind(NOW) is kind


def test_takes_what_the_originals_clients_send() -> None:
    found = parsed(
        url="http://example.org/a.ogg",
        database="",
        date="",
        channels="0,3",
        is_permanent=True,
        format="ogg",
        path_database="marsh",
        database_file_length=3600,
        nb_channels=4,
    )
    assert found.channels == (0, 3)
    assert found.is_permanent
    assert SourceSpecification.parse(found.as_dict(hide_secrets=False)) == found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "where its audio comes from"),
        ({"url": "http://a.org/", "path": "x.wav"}, "where its audio comes from"),
        ({"url": "http://a.org/", "device": "jack:system"}, "where its audio comes from"),
        ({"live": True, "database": "marsh"}, "where its audio comes from"),
        ({"name": "../etc", "url": "http://a.org/"}, "cannot name a source"),
        ({"name": "-i", "url": "http://a.org/"}, "cannot name a source"),
        ({"name": 7, "url": "http://a.org/"}, "name"),
        ({"name": "x", "url": "file:///etc/passwd"}, "http"),
        ({"name": "x", "url": "concat:http://a|http://b"}, "http"),
        ({"name": "x", "url": "-protocol_whitelist"}, "http"),
        ({"name": "x", "url": "http://a.org/\r\nHost: b"}, "control characters"),
        ({"name": "x", "url": "http://a.org:port/"}, "url"),
        ({"name": "x", "url": "http:///path"}, "host"),
        ({"name": "x", "url": "http://a.org/" + 5000 * "a"}, "4096"),
        ({"name": "x", "path": "../secret.wav"}, "'..'"),
        ({"name": "x", "url": "http://a.org/", "path_database": "a/../../b"}, "'..'"),
        ({"name": "x", "device": "file:/etc/passwd"}, "sound card"),
        ({"name": "x", "device": "hw:0 -i /etc/passwd"}, "sound card"),
        ({"name": "x", "device": "jack:no port"}, "no port"),
        ({"name": "x", "database": "marsh", "date": "yesterday"}, "no date"),
        ({"name": "x", "database": "marsh", "date": "2026-02-30-00-00-00"}, "no date"),
        ({"name": "x", "database": "marsh", "date": "2026-04-01T05:00:00"}, "no time zone"),
        ({"name": "x", "database": "a/b"}, "cannot name a source"),
        ({"name": "x", "url": "http://a.org/", "channels": "0,0"}, "already chosen"),
        ({"name": "x", "url": "http://a.org/", "channels": "64"}, "beyond"),
        ({"name": "x", "url": "http://a.org/", "channels": "channel"}, "no channel"),
        ({"name": "x", "url": "http://a.org/", "channels": "channel0"}, "no channel"),
        ({"name": "x", "url": "http://a.org/", "channels": "-1"}, "no channel"),
        ({"name": "x", "url": "http://a.org/", "channels": [True]}, "no channel"),
        ({"name": "x", "url": "http://a.org/", "channels": "3", "nb_channels": 3}, "nb_channels"),
        ({"name": "x", "url": "http://a.org/", "nb_channels": 65}, "nb_channels"),
        ({"name": "x", "url": "http://a.org/", "latitude": 91, "longitude": 0}, "latitude"),
        ({"name": "x", "url": "http://a.org/", "latitude": 9}, "belong together"),
        ({"name": "x", "url": "http://a.org/", "latitude": float("nan"), "longitude": 0}, "latitude"),
        ({"name": "x", "url": "http://a.org/", "zone": "Mars/Olympus"}, "time zone"),
        ({"name": "x", "url": "http://a.org/", "format": "mp3"}, "format"),
        ({"name": "x", "url": "http://a.org/", "database_file_length": 1}, "database_file_length"),
        ({"name": "x", "url": "http://a.org/", "recrod": True}, "no such field"),
        ({"name": "x", "device": "jack:system", "record": True}, "alsa"),
    ],
)
def test_refuses_and_says_why(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        SourceSpecification.parse({"name": "marsh"} | wrong)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_parts_of_the_engine_are_no_sources(name: str) -> None:
    with pytest.raises(SourceError, match=r"part of the engine.*reserved are analyzer, engine, "):
        SourceSpecification.parse({"name": name, "url": "http://a.org/"})


def test_says_all_that_is_wrong() -> None:
    with pytest.raises(SourceError, match=r"nb_channels.*format"):
        parsed(url="http://a.org/", nb_channels=100, format="mp3")


def test_hides_what_a_url_has_of_secrets() -> None:
    found = parsed(url="https://user:secret@example.org:8443/a.ogg?token=secret")
    assert "secret" not in str(found.as_dict())
    assert found.shown_url == "https://example.org:8443/a.ogg?..."
    assert "secret" in str(found.as_dict(hide_secrets=False))


def test_reads_a_date_in_the_zone_of_the_source() -> None:
    assert parsed(date=PAST).moment() == datetime(2026, 4, 1, 5, tzinfo=UTC)
    assert parsed(date=PAST, zone="Europe/Paris").moment() == datetime(2026, 4, 1, 3, tzinfo=UTC)
    assert parsed(date="2026-04-01T05:00:00+02:00").moment("America/New_York") == datetime(
        2026, 4, 1, 3, tzinfo=UTC
    )
    # Shown twice that night: the first one is meant.
    assert parsed(date="2026-10-25-02-30-00", zone="Europe/Paris").moment() == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("written", "indices"),
    [
        ("0,3", (0, 3)),
        (" 3 , 0 ", (3, 0)),
        ("channel4,test_chan5", (3, 4)),
        ("marsh:out_1", (0,)),
        ("system:capture_12", (11,)),
        ("2,channel1", (2, 0)),
        ([0, "channel2"], (0, 1)),
        ("", None),
        ([], None),
    ],
)
def test_reads_channels(written: Any, indices: tuple[int, ...] | None) -> None:
    assert parse_channels(written) == indices


@given(st.lists(st.integers(0, MAX_CHANNELS - 1), min_size=1, unique=True), st.booleans())
def test_channels_come_back_as_they_were_written(indices: list[int], by_name: bool) -> None:
    written = ",".join(f"channel{index + 1}" if by_name else str(index) for index in indices)
    assert parse_channels(written) == tuple(indices)
    again = parsed(url="http://a.org/", channels=written).as_dict()["channels"]
    assert parse_channels(again) == tuple(indices)


@given(st.text())
def test_any_text_is_channels_or_is_refused(text: str) -> None:
    try:
        found = parse_channels(text)
    except ValueError:
        return
    assert found is None or all(0 <= index < MAX_CHANNELS for index in found)


@given(
    st.dictionaries(
        st.sampled_from(sorted(SourceSpecification.model_fields)), st.text() | st.integers() | st.none()
    )
)
def test_any_request_is_read_or_refused(request_: dict[str, Any]) -> None:
    try:
        found = SourceSpecification.parse(request_)
    except SourceError:
        return
    assert SourceSpecification.parse(found.as_dict(hide_secrets=False)) == found


def test_reads_devices() -> None:
    assert parse_device("alsa:hw:1,0") == AlsaDevice("hw:1,0")
    assert parse_device("plughw:CARD=USB,DEV=0") == AlsaDevice("plughw:CARD=USB,DEV=0")
    assert parse_device("default") == AlsaDevice("default")
    assert parse_device("jack:system") == JackPorts(())
    assert parse_device("jack:system:capture_1,mixer:left out") == JackPorts(
        ("system:capture_1", "mixer:left out")
    )


class TestReplacing:
    before = parsed(
        url="http://example.org/a.ogg",
        path_database="marsh",
        zone="Europe/Paris",
        record=True,
        is_permanent=True,
    )

    def test_inherits_the_archive(self) -> None:
        after = inherit({"name": "marsh", "url": "http://other.org/"}, self.before, None)
        assert after.path_database == self.before.path_database
        assert after.zone == "Europe/Paris"
        assert after.url == "http://other.org/"
        assert not after.is_permanent
        assert not after.record

    def test_what_is_said_anew_counts(self) -> None:
        after = inherit({"name": "marsh", "url": "http://other.org/", "zone": "UTC"}, self.before, None)
        assert after.zone == "UTC"

    def test_a_date_alone_plays_its_own_archive_or_its_url(self) -> None:
        then = inherit({"name": "marsh", "date": PAST}, self.before, None)
        assert then.kind(NOW) is SourceKind.ARCHIVE
        assert then.archive_name == "marsh"
        live = inherit({"name": "marsh", "date": FUTURE}, then, None)
        assert live.kind(NOW) is SourceKind.URL
        assert live.url == self.before.url

    def test_the_database_of_another_source_is_an_independent_player(self) -> None:
        player = inherit({"name": "then", "database": "marsh", "date": PAST}, None, self.before)
        assert player.kind(NOW) is SourceKind.ARCHIVE
        assert player.archive_name == "marsh"
        assert (
            inherit({"name": "then", "database": "marsh", "date": FUTURE}, None, self.before).url
            == self.before.url
        )
