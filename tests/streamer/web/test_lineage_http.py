"""Why something was heard, over HTTP: the same answer as the command's, in the shape that the document gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient

from streamer.web.app import WebApp
from streamer.web.archive_questions import MOST_AT_ONCE
from streamer.web.core import WebCore
from streamer.web.openapi import openapi_document
from tests.detections.made import heard, keep_in_files
from tests.support.small_site import TrainedHome
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.home import Home
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget
from tidzam_platform.retention.clip_rows import forget_clips
from tidzam_platform.settings import Settings

PATH = "/api/v1/detections"


class Desk:
    """An application on a home."""

    def __init__(self, settings: Settings) -> None:
        self.core = WebCore(settings)
        self.app = WebApp(self.core)
        self.client: FlaskClient = self.app.flask.test_client()

    @property
    def library(self) -> Home:
        return Home(self.core.settings, self.core.library.catalog, self.core.library.store)

    def close(self) -> None:
        self.app.close()
        self.core.close()

    def why(self, identity: str, query: str = "") -> tuple[int, Any]:
        answer = self.client.get(f"{PATH}/{identity}/lineage?{query}")
        responses = openapi_document()["paths"][f"{PATH}/{{detection}}/lineage"]["get"]["responses"]
        schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
        whole = {**schema, "components": openapi_document()["components"]}
        jsonschema.Draft202012Validator(whole).validate(answer.json)
        return answer.status_code, answer.json


@pytest.fixture
def trained(trained_copy: TrainedHome) -> Iterator[Desk]:
    made = Desk(Settings(home=trained_copy.folder))
    yield made
    made.close()


@pytest.fixture
def empty(home: Settings) -> Iterator[Desk]:
    made = Desk(home)
    yield made
    made.close()


def test_a_detection_is_traced_to_its_labels(trained: Desk, trained_copy: TrainedHome) -> None:
    with trained.library.catalog.reading() as session:
        label = session.query(Annotation).first()
        assert label is not None
        name = label.class_path
    one = heard(class_path=name, generation=trained_copy.answer["generation"])
    LiveDetections(trained.library.catalog).add([one])
    status, told = trained.why(one.id, "clips=2")
    assert status == 200
    assert told["detection"]["id"] == one.id
    assert told["generation"]["service"]["label"] == "stable"
    assert told["experts"][-1]["decided"] == name
    assert 1 <= len(told["behind"]["examples"]["present"]) <= 2
    clip = told["behind"]["examples"]["present"][0]["clip"]
    annotate(
        trained.library.catalog,
        ClipTarget(clip),
        [Statement(name, "unsure")],
        annotator="bo",
        tool="web",
    )
    assert trained.why(one.id)[1]["behind"]["corrections"][0]["annotator"] == "bo"
    assert trained.client.get(f"/api/v1/clips/{clip}/audio").status_code == 200, "it can be listened to"
    by_name = trained.why(f"{one.generation}:{name}")[1]
    assert by_name["detection"] is None
    assert by_name["behind"] == trained.why(one.id)[1]["behind"]


def test_a_generation_of_another_home_is_answered_in_words(empty: Desk) -> None:
    one = heard(generation=77)
    LiveDetections(empty.library.catalog).add([one])
    status, told = empty.why(one.id)
    assert (status, told["generation"]["known"], told["behind"]) == (200, False, None)
    assert "does not know generation 77" in told["remarks"][0]


@pytest.mark.parametrize(
    ("identity", "query", "status", "code"),
    [
        ("f" * 24, "", 404, "not_found"),
        ("a%20b", "", 400, "bad_query"),
        ("%7B%7D", "", 400, "bad_query"),
        ("3:unknown", "", 400, "bad_query"),
        ("3:a--b", "", 400, "invalid_name"),
        ("3:birds", "clips=201", 400, "bad_request"),
        ("3:birds", "clips=x", 400, "bad_request"),
        ("3:birds", "colour=red", 400, "bad_request"),
        ("f" * 24, "start=yesterday", 400, "bad_request"),
        ("f" * 24, "channel=../x", 400, "invalid_name"),
    ],
)
def test_what_makes_no_sense_is_refused(
    empty: Desk, identity: str, query: str, status: int, code: str
) -> None:
    answered, told = empty.why(identity, query)
    assert (answered, told["code"]) == (status, code), told


def test_it_takes_a_place_among_the_questions_to_the_archive_and_ends_in_time(home: Settings) -> None:
    hasty = Desk(home.model_copy(update={"web": home.web.model_copy(update={"query_s": 1e-9})}))
    try:
        old, new = heard(), heard(86_400)
        keep_in_files(hasty.library.catalog, hasty.library.store, [old, new])
        answered, told = hasty.why(old.id)
        assert (answered, told["code"]) == (503, "query_deadline")
        hint = old.start.isoformat().replace("+00:00", "Z")
        assert hasty.why(old.id, f"start={hint}&channel={old.channel}")[0] == 200
        taken = [hasty.core.questions.place() for _ in range(MOST_AT_ONCE)]
        for place in taken:
            place.__enter__()
        try:
            answered, told = hasty.why("3:birds")
            assert (answered, told["code"]) == (503, "busy")
        finally:
            for place in taken:
                place.__exit__(None, None, None)
        assert hasty.why("3:birds")[0] == 200
    finally:
        hasty.close()


def test_paths_of_this_machine_are_told_to_nobody(empty: Desk, tmp_path: Path) -> None:
    state = empty.core.settings.models_folder / "serving" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("no state")
    answered, told = empty.why("3:birds")
    assert (answered, told["code"]) == (502, "repository_failed")
    assert str(tmp_path) not in told["error"]


def test_clips_that_are_gone_are_counted(trained: Desk, trained_copy: TrainedHome) -> None:
    with trained.library.catalog.session() as session:
        label = session.query(Annotation).first()
        assert label is not None
        name = f"{trained_copy.answer['generation']}:{label.class_path}"
    first = trained.why(name)[1]["behind"]
    assert first["erased"] == 0
    with trained.library.catalog.session() as session:
        forget_clips(session, [first["examples"]["present"][0]["clip"]])
        left = session.query(Clip).count()
    assert left > 0
    status, told = trained.why(name)
    assert (status, told["behind"]["erased"]) == (200, 1)
    assert told["behind"]["clips"] == first["clips"], "what the generation learnt from does not change"
