"""A canary is tried on a real recording: through a real server, by command, and seen by command and over HTTP."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from serving.client import ModelClient
from serving.gateway import create_gateway_app
from serving.gateway.openapi import openapi_document
from serving.repository import ModelRepository
from serving.shadow import open_shadowing_client, origins_key, shadow_report, wait_for_shadow
from serving.shadow.origins import WindowOrigin
from tests.audio.made import encode
from tests.support.in_process import run_here
from tests.support.small_site import last_line
from tests.support.tiny_model import RATE_HZ, WINDOW_FRAMES, some_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.settings import Settings

HOP = WINDOW_FRAMES // 2
WINDOWS = 20


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two channels of noise at different levels, 20 windows each."""
    audio = np.stack([some_audio(WINDOWS + 1, seed=seed)[:, :HOP].reshape(-1) for seed in (1, 2)])
    return encode(audio, tmp_path / "noise.wav", "wav", rate_hz=RATE_HZ)


def analyze(home: Settings, address: str, recording: Path, *options: str):
    return run_here(["analyze", "--server", address, *options, "--json", recording], home.home)


def test_a_canary_hears_a_recording_and_what_it_says_is_shown_everywhere(
    home: Settings, both_answer: str, recording: Path
) -> None:
    plain = analyze(home, both_answer, recording)
    heard = analyze(home, both_answer, recording, "--shadow", "1")
    assert heard.returncode == 0, heard.stderr
    assert last_line(heard.stdout) == last_line(plain.stdout), "the stable generation answers"
    assert re.search(r"shadow: \d+ batches compared, 0 dropped, 0 failed", heard.stderr)

    shown = run_here(["generation", "shadow", "--json"], home.home)
    comparison = last_line(shown.stdout)["comparison"]
    assert (comparison["stable"], comparison["canary"]) == (3, 4)
    assert comparison["windows"] == 2 * WINDOWS
    classes = {one["class"]: one for one in comparison["classes"]}
    assert set(classes) == {"birds", "birds-chiffchaff", "birds-wren", "rain", "unknown", "no_signal"}
    for path, other in (("birds-chiffchaff", "canary"), ("birds-wren", "stable")):
        assert classes[path][f"{other}_rate"] is None, f"{other} does not know {path}"
        assert classes[path]["mean_difference"] is None
    assert sum(one["stable_windows"] or 0 for one in classes.values()) == 2 * WINDOWS
    assert comparison["latency"]["canary"]["p50_s"] > 0
    assert comparison["disagreements"]
    for one in comparison["disagreements"]:
        assert re.fullmatch(r"noise\.wav:[12]", one["channel"])
        assert re.fullmatch(r"\d+\.\d{3} s", one["start"])
        assert one["stable"]["class"] != one["canary"]["class"]

    table = run_here(["generation", "shadow", "--stable", "3", "--canary", "4"], home.home).stdout
    for words in ("40 windows compared", "birds-wren", "canary 4", "p99", "newest disagreements"):
        assert words in table

    answer = create_gateway_app(home).test_client().get("/api/v1/shadow?canary=4")
    assert answer.status_code == 200
    told = answer.json["comparison"]
    assert {**told, "disagreements": told["disagreements"][:20]} == comparison
    schema = {"$ref": "#/components/schemas/Shadow", "components": openapi_document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json)


def test_what_is_counted_is_what_both_generations_say(home: Settings, both_answer: str) -> None:
    audio = some_audio(30, seed=5)
    with open_shadowing_client(home, 1, address=both_answer) as client:
        for start in range(0, 30, 10):
            origins = [WindowOrigin("site:out_1", str(row)) for row in range(start, start + 10)]
            prediction = client.predict(audio[start : start + 10], key=origins_key(origins))
            assert prediction.generation == 3
        assert wait_for_shadow(client, 20)
    with ModelClient(both_answer) as asked:
        stable, canary = asked.predict(audio, 3).scores, asked.predict(audio, 4).scores
    catalog = Catalog.open(home.catalog_url)
    comparison = shadow_report(catalog, 3, 4)["comparison"]
    catalog.close()
    assert (comparison["batches"], comparison["windows"]) == (3, 30)
    rain = next(one for one in comparison["classes"] if one["class"] == "rain")
    difference = canary[:, 2].astype(float) - stable[:, 2]
    assert rain["mean_difference"] == pytest.approx(difference.mean(), abs=1e-4)
    assert rain["largest_difference"] == pytest.approx(np.abs(difference).max(), abs=1e-4)
    best = [(scores[:, 1:].argmax(axis=1)) for scores in (stable, canary)]
    both_rain = (best[0] == 1) & (best[1] == 1)  # the chiffchaff is no wren
    assert comparison["leaf_agreement"] == pytest.approx(both_rain.mean(), abs=1e-5)


def test_without_a_canary_the_recording_is_heard_and_the_remedy_told(
    home: Settings, both_answer: str, recording: Path, repository: ModelRepository
) -> None:
    repository.remove_label("canary", by="test", reason="a test")
    with ModelClient(both_answer) as client:
        _wait_until_no_canary(client)
    heard = analyze(home, both_answer, recording, "--shadow", "1")
    assert heard.returncode == 0, heard.stderr
    assert "promote N --label canary" in heard.stderr
    shown = run_here(["generation", "shadow", "--json"], home.home)
    assert last_line(shown.stdout) == {"pairs": [], "comparison": None}
    assert "analyze --shadow" in shown.stderr


def test_a_shadow_goes_through_the_model_server(home: Settings, recording: Path) -> None:
    for options in (
        ("--shadow", "1", "--local"),
        ("--shadow", "0"),
        ("--shadow", "1.5"),
        ("--shadow", "nan"),
    ):
        refused = run_here(["analyze", *options, recording], home.home)
        assert refused.returncode == 2, options


@pytest.mark.parametrize("query", ["stable=0", "canary=x", "stable=", "canary=9999999999"])
def test_a_wrong_generation_in_the_query_is_refused(home: Settings, query: str) -> None:
    answer = create_gateway_app(home).test_client().get(f"/api/v1/shadow?{query}")
    assert answer.status_code == 400
    assert answer.json["code"] == "bad_request"


def test_nothing_compared_yet_is_an_answer(home: Settings) -> None:
    answer = create_gateway_app(home).test_client().get("/api/v1/shadow")
    assert answer.json == {"pairs": [], "comparison": None}


def _wait_until_no_canary(client: ModelClient) -> None:
    from serving.client import Route
    from tests.support.waiting import wait_for
    from tidzam_platform.errors import ModelServerError

    def is_gone() -> bool:
        try:
            client.predict(some_audio(1), route=Route.canary())
        except ModelServerError:
            return True
        return False

    wait_for(is_gone, "the label to be gone")
