"""Clips over HTTP: filters, pages, audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audio.made import encode, tones
from tests.clips.made import GROUP_S, metadata, noise16, say
from tests.streamer.web.web_process import WebProcess
from tests.support.parts import require_part
from tidzam_platform.audio import decode_blocks
from tidzam_platform.clips.recording_clips import RecordedClip, clip_bytes, record_clip, spool_clip
from tidzam_platform.home import Home

PATH = "/api/v1/clips"


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """Of six clips, a minute apart: two channels, three classes, two generations."""
    require_part("ffmpeg")
    return [
        clip_bytes(
            noise16(4800, n),
            metadata(
                ("birds-robin", "birds", "rain")[n % 3],
                channel=f"marsh:out_{1 + n % 2}",
                at_s=60 * n,
                score=0.5 + n / 20,
                generation=1 + n // 3,
            ),
        )
        for n in range(6)
    ]


@pytest.fixture
def clips(library: Home, tmp_path: Path, files: list[bytes]) -> list[RecordedClip]:
    """They are in store and catalog; one has a label."""
    made = [
        record_clip(library.catalog, library.store, spool_clip(tmp_path, data), group_s=GROUP_S)
        for data in files
    ]
    say(library.catalog, made[1].id, "insects")
    return made


def numbers(web: WebProcess, query: str = "") -> list[int]:
    answer = web.request("GET", f"{PATH}?{query}")
    assert answer.status == 200, answer.body
    return [clip["id"] for clip in answer.body["clips"]]


def test_a_clip_is_told_whole(web: WebProcess, clips: list[RecordedClip]) -> None:
    told = web.request("GET", f"{PATH}/{clips[1].id}")
    assert told.status == 200
    assert told.body == next(
        one for one in web.request("GET", PATH).body["clips"] if one["id"] == clips[1].id
    )
    shown = {
        key: told.body[key] for key in ("channel", "start", "class_path", "score", "generation", "seconds")
    }
    assert shown == {
        "channel": "marsh:out_2", "start": "2026-04-01T12:01:00.000Z", "class_path": "birds", "score": 0.55,
        "generation": 1, "seconds": 0.1,
    }  # fmt: skip
    assert [(one["class_path"], one["annotator"]) for one in told.body["annotations"]] == [("insects", "ann")]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("", range(6)), ("from=2026-04-01T12:03:00Z", (3, 4, 5)), ("to=2026-04-01T12:01:00Z", (0,)),
        ("channel=marsh:out_1", (0, 2, 4)), ("channel=pond:*", ()), ("class=birds", (0, 3, 4)),
        ("class=insects", (1,)), ("class=birds-robin&class=rain", (0, 2, 3, 5)), ("min_score=0.7", (4, 5)),
        ("max_score=0.5", (0,)), ("generation=2", (3, 4, 5)), ("rule=999", ()), ("destination=unchecked", range(6)),
        ("labelled=true", (1,)), ("labelled=false", (0, 2, 3, 4, 5)),
    ],
)  # fmt: skip
def test_they_are_chosen(web: WebProcess, clips: list[RecordedClip], query: str, chosen: Any) -> None:
    assert numbers(web, query) == [clips[n].id for n in chosen][::-1]


def test_pages_hold_each_once(web: WebProcess, clips: list[RecordedClip]) -> None:
    first = web.request("GET", f"{PATH}?limit=4").body
    rest = web.request("GET", f"{PATH}?limit=4&cursor={first['next_cursor']}").body
    assert rest["next_cursor"] is None
    assert [clip["id"] for clip in (*first["clips"], *rest["clips"])] == [clip.id for clip in clips][::-1]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("?limit=0", 400), ("?limit=1001", 400), ("?cursor=x", 400), ("?cursor=-1", 400), ("?labelled=maybe", 400),
        ("?class=Birds", 400), ("?channel=a%20b", 400), ("?rule=x", 400), ("?colour=red", 400),
        ("/0", 404), ("/999999", 404), ("/x", 404), (f"/{10**9}", 404), (f"/{10**10}", 404), (f"/{10**30}", 404),
        ("/-1", 404), ("/1.5", 404), ("/999999/audio", 404), ("/x/audio", 404), ("/..%2f..%2fcatalog.db/audio", 404),
        ("/999999/annotations", 404),
    ],
)  # fmt: skip
def test_what_makes_no_sense_or_is_not_there_is_refused(web: WebProcess, path: str, status: int) -> None:
    answer = web.request("GET", f"{PATH}{path}")
    assert (answer.status, sorted(answer.body)) == (status, ["code", "error"])


def test_its_audio_is_the_file_that_was_kept(
    web: WebProcess, clips: list[RecordedClip], library: Home, tmp_path: Path
) -> None:
    url = f"{PATH}/{clips[3].id}/audio"
    answer = web.request("GET", url)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/flac")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    file = tmp_path / "clip.flac"
    file.write_bytes(answer.body)
    samples = np.concatenate([block.samples for block in decode_blocks(file)], axis=1)
    assert np.array_equal(np.round(samples[0] * 32768).astype(int), noise16(4800, 3))
    part = web.request("GET", url, headers={"Range": "bytes=100-199"})
    assert (part.status, part.body) == (206, answer.body[100:200])
    assert web.request("GET", url, headers={"Range": "bytes=99999999-"}).status == 416
    again = web.request("GET", url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    library.store.delete(f"clips/{clips[3].sha256[:2]}/{clips[3].sha256}.flac")
    gone = web.request("GET", url)
    assert (gone.status, gone.body["code"]) == (404, "not_found")
    assert str(web.home) not in gone.body["error"]


def test_a_browser_plays_what_was_imported_too(web: WebProcess, library: Home, tmp_path: Path) -> None:
    from tidzam_platform.catalog.tables import Clip, Group
    from tidzam_platform.clock import utc_now

    file = encode(tones([700.0], 1.0, rate_hz=48_000), tmp_path / "t.opus", "opus", rate_hz=48_000)
    library.store.put_file("clips/ab/x.ogg", file)
    with library.catalog.session() as session:
        clip = Clip(
            sha256="ab" * 32, store_key="clips/ab/x.ogg", codec="opus", rate_hz=48_000, channels=1, seconds=1.0,
            group=Group(key=f"clip/{tmp_path}"), added_at=utc_now(),
        )  # fmt: skip
        session.add(clip)
        session.flush()
        number = clip.id
    answer = web.request("GET", f"{PATH}/{number}/audio")
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (
        200,
        "audio/ogg",
        file.read_bytes(),
    )
    told = web.request("GET", f"{PATH}/{number}").body
    assert (told["channel"], told["start"], told["rule"]) == (None, None, None)
