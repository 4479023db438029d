"""JibJib's API: its paths, its envelope, its pooling, fed by a table of species."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.gateway import create_gateway_app
from serving.gateway.hearing import GatewayCore
from serving.gateway.jibjib.pooling import PoolingModel
from serving.gateway.jibjib.species import MAX_ID, Species, read_species, species_of_classes
from serving.local import LocalModel
from serving.signature import ClassDescription, ModelDescription
from tests.audio.made import encode, noise
from tests.serving.gateway.gateway_process import GatewayProcess
from tests.support.tiny_model import WINDOW_FRAMES, description, some_audio
from tidzam_platform.audio import Window
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import GatewaySettings, Settings

TABLE = """id,class_path,name,genus,species,title_de,title_en,desc_de,desc_en
110,birds-chiffchaff,Phylloscopus collybita,Phylloscopus,collybita,Zilpzalp,Chiffchaff,"Klein, oliv","Small, olive"
7,rain,,,,Regen,Rain,,
30,birds-wren,Troglodytes troglodytes,Troglodytes,troglodytes,Zaunkönig,Wren,Rund,Round
"""


@pytest.fixture
def app(home: Settings, tmp_path: Path) -> Iterator[Flask]:
    table = tmp_path / "species.csv"
    table.write_text(TABLE)
    settings = home.model_copy(update={"gateway": GatewaySettings(species_table=table, max_upload_mb=1)})
    core = GatewayCore(settings)
    yield create_gateway_app(settings, core=core)
    core.close()


def test_a_recording_as_the_app_sends_it_gets_the_best_three(gateway: GatewayProcess, tmp_path: Path) -> None:
    recording = encode(noise(4.0, rate_hz=44100), tmp_path / "bird.m4a", "mp4", rate_hz=44100)
    answer = gateway.curl(
        "-H", "Content-Type: application/octet-stream", "--data-binary", f"@{recording}", "/detect/binary"
    )
    assert answer.status == 200
    assert list(answer.body) == ["status", "message", "count", "data"]
    assert answer.body["status"] == 200
    assert answer.body["message"] == "Detection successful"
    data = answer.body["data"]
    assert answer.body["count"] == len(data) == 2, "the tiny model has two leaf classes"
    assert sum(one["accuracy"] for one in data) == pytest.approx(1)
    assert data[0]["accuracy"] >= data[1]["accuracy"] > 0
    known = gateway.request("GET", "/birds/all").body["data"]
    assert {one["id"] for one in data} == {one["id"] for one in known}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"no audio", 400), (bytes(2 << 20), 413)],
    ids=["empty", "text", "large"],
)
def test_what_cannot_be_used_is_refused_in_the_envelope(app: Flask, body: bytes, status: int) -> None:
    answer = app.test_client().post("/detect/binary", data=body)
    assert answer.status_code == status
    assert answer.json["status"] == status
    assert (answer.json["count"], answer.json["data"]) == (0, None)
    assert answer.json["message"]


def test_silence_is_no_bird(gateway: GatewayProcess, tmp_path: Path) -> None:
    recording = encode(np.zeros((1, 44100), np.float32), tmp_path / "silence.m4a", "mp4", rate_hz=44100)
    answer = gateway.curl("--data-binary", f"@{recording}", "/detect/binary")
    assert answer.body == {
        "status": 200, "message": "No clear bird could be identified", "count": 0, "data": [],
    }  # fmt: skip


def test_ping_answers_pong(app: Flask) -> None:
    answer = app.test_client().get("/ping")
    assert answer.json == {"status": 200, "message": "Pong", "count": 0, "data": None}


def test_all_birds_come_by_id_and_without_descriptions(app: Flask) -> None:
    answer = app.test_client().get("/birds/all").json
    assert (answer["status"], answer["message"], answer["count"]) == (200, "Bird info retrieved", 3)
    assert [bird["id"] for bird in answer["data"]] == [7, 30, 110]
    assert answer["data"][2] == {
        "id": 110, "name": "Phylloscopus collybita", "genus": "Phylloscopus", "species": "collybita",
        "title_de": "Zilpzalp", "title_en": "Chiffchaff", "desc_de": "", "desc_en": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "desc_de", "desc_en"),
    [
        ("", "Klein, oliv", "Small, olive"),
        ("?desc_de=false", "", "Small, olive"),
        ("?desc_en=false", "Klein, oliv", ""),
        ("?desc_de=false&desc_en=false", "", ""),
        ("?desc_de=true", "Klein, oliv", "Small, olive"),
    ],
)
def test_a_bird_comes_with_the_descriptions_that_are_wanted(
    app: Flask, query: str, desc_de: str, desc_en: str
) -> None:
    answer = app.test_client().get(f"/birds/110{query}").json
    assert (answer["status"], answer["message"], answer["count"]) == (200, "Bird found", 1)
    assert (answer["data"]["desc_de"], answer["data"]["desc_en"]) == (desc_de, desc_en)


@pytest.mark.parametrize("number", ["8", "0", "-1", "x", "1e2", "9" * 5000, "١١٠"])
def test_other_birds_are_not_found(app: Flask, number: str) -> None:
    answer = app.test_client().get(f"/birds/{number}")
    assert answer.status_code == answer.json["status"] == 404
    assert (answer.json["count"], answer.json["data"]) == (0, None)


def test_pooling_is_the_sum_of_powers_of_all_windows_and_the_best_three_renormalised(exported) -> None:
    audio = some_audio(12, seed=5)
    audio[3] = 0  # silence: whatever the model says of it
    table = tuple(
        Species(number, path) for number, path in enumerate(("birds", "birds-chiffchaff", "rain", "x"), 1)
    )
    with LocalModel(exported(3)) as model:
        scores = np.delete(model.predict(audio).scores, 3, axis=0).astype(float)
        for power in (2, 3):
            pool = PoolingModel(model, power=power, no_signal_dbfs=-65)
            for _ in range(2):  # a hearing that begins anew counts anew
                pool.describe()
                for start in range(0, 12, 4):
                    pool.predict_windows(
                        [
                            Window(0, audio[start : start + 2]),
                            Window(WINDOW_FRAMES, audio[start + 2 : start + 4]),
                        ]
                    )
            sums = (scores**power).sum(axis=0)
            expected = sorted(zip(sums / sums.sum(), (1, 2, 3), strict=True), reverse=True)
            best = pool.best(table)
            assert [one.id for one, _ in best] == [number for _, number in expected]
            np.testing.assert_allclose(
                [share for _, share in best], [share for share, _ in expected], rtol=1e-4
            )


def test_the_table_of_the_served_classes_has_the_leaves_and_keeps_its_ids() -> None:
    table = species_of_classes(description(3))
    assert {one.class_path for one in table} == {"birds-chiffchaff", "rain"}
    (bird,) = (one for one in table if one.class_path == "birds-chiffchaff")
    assert bird.title_en == "Chiffchaff"
    more = ModelDescription(
        (*description(4).classes, ClassDescription("birds-american_crow", "birds", 0.5)),
        8000,
        0.25,
        0.125,
        4,
        "x",
    )
    later = {one.class_path: one for one in species_of_classes(more)}
    assert all(later[one.class_path] == one for one in table)
    assert later["birds-american_crow"].title_en == "American crow"
    assert all(1 <= one.id <= MAX_ID for one in later.values())


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=["Cs", "Cc"]), max_size=20
)
ROWS = st.lists(
    st.builds(
        Species,
        st.integers(1, MAX_ID),
        st.from_regex(r"[a-z]{1,8}(-[a-z]{1,8}){0,2}", fullmatch=True).filter(
            lambda path: "unknown" not in path
        ),
        *[TEXT] * 7,
    ),
    min_size=1,
    max_size=5,
    unique_by=(lambda one: one.id, lambda one: one.class_path),
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["csv", "toml"]))
def test_a_table_is_read_as_it_is_written(tmp_path: Path, rows: list[Species], kind: str) -> None:
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(asdict(rows[0])))
            writer.writeheader()
            writer.writerows(asdict(one) for one in rows)
    else:
        tables = [
            "[[species]]\n"
            + "".join(
                f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in asdict(one).items()
            )
            for one in rows
        ]
        path.write_text("\n".join(tables), encoding="utf-8")
    assert read_species(path) == tuple(sorted(rows, key=lambda one: one.id))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "", "id"),
        ("a.csv", "id,class_path\n", "empty"),
        ("a.csv", "id,name\n1,x\n", "class_path"),
        ("a.csv", "id,class_path,size\n1,rain,2\n", "size"),
        ("a.csv", "id,class_path\n0,rain\n", "id"),
        ("a.csv", "id,class_path\nx,rain\n", "id"),
        ("a.csv", "id,class_path\n1,Not A Path\n", "Not A Path"),
        ("a.csv", "id,class_path\n1,rain,more\n", "line 2"),
        ("a.csv", "id,class_path,name\n1,rain\n", "line 2"),
        ("a.csv", "id,class_path\n1,rain\n1,wind\n", "twice"),
        ("a.csv", "id,class_path\n1,rain\n2,rain\n", "twice"),
        ("a.toml", "[[species]\n", "cannot be used"),
        ("a.toml", "[[species]]\nid = 1\n", "class_path"),
        ("a.toml", "[[species]]\nid = true\nclass_path = 'rain'\n", "id"),
        ("a.toml", "[[species]]\nid = 1\nclass_path = 'rain'\nname = 7\n", "name"),
        ("a.toml", "species = 1\n", "[[species]]"),
        ("a.toml", "other = 1\n", "[[species]]"),
    ],
)
def test_a_wrong_table_is_refused_with_the_place(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_species(path)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_table_that_is_not_there_stops_the_start(home: Settings, tmp_path: Path) -> None:
    settings = home.model_copy(update={"gateway": GatewaySettings(species_table=tmp_path / "none.csv")})
    with pytest.raises(SettingsError, match=r"none\.csv"):
        create_gateway_app(settings)
