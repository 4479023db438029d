"""Who tells which generation is in service: at each change, and at a start without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving.signature import ModelDescription
from streamer.analyzer.asking import Describer, Generations
from tests.streamer.analyzer.asking.made import StandIn
from tests.support.tiny_model import description
from tests.support.waiting import wait_for


@contextmanager
def describing(model: StandIn, told: list[ModelDescription], **options: Any) -> Iterator[Describer]:
    describer = Describer(lambda: model, told.append, Generations(), interval_s=0.02, **options)
    describer.start()
    try:
        yield describer
    finally:
        assert describer.stop()


def test_each_new_generation_is_told_once(tmp_path: Path) -> None:
    model, told = StandIn(generation=3), list[ModelDescription]()
    with describing(model, told) as describer:
        wait_for(lambda: told == [description(3)], "the first is told")
        model.generation = 4
        wait_for(lambda: told == [description(3), description(4)], "the second is told")
        assert describer.status() == {"generation": 4, "problem": ""}
        assert describer.description == description(4)


def test_a_server_that_is_back_is_told(tmp_path: Path) -> None:
    model, told, backs = StandIn(), list[ModelDescription](), list[int]()
    model.away = True
    with describing(model, told, on_back=lambda: backs.append(1)) as describer:
        wait_for(lambda: describer.status()["problem"] == "nobody answers", "it is away")
        assert backs == told == []
        model.away = False
        wait_for(lambda: backs == [1], "it is back")
        assert told == [description(3)]
        assert describer.status()["problem"] == ""


def test_the_last_generation_is_known_at_a_start_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "described.json"
    model, told = StandIn(generation=5), list[ModelDescription]()
    with describing(model, told, remembered=file):
        wait_for(file.exists, "it is remembered")
    model.away = True
    again: list[ModelDescription] = []
    generations = Generations()
    describer = Describer(lambda: model, again.append, generations, remembered=file)
    describer.start()
    assert again == [description(5)], "before anybody answered"
    assert generations.of(5) == description(5)
    assert describer.stop()


def test_a_file_that_makes_no_sense_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "described.json"
    file.write_bytes(b'{"classes": [\xff')
    told: list[ModelDescription] = []
    with describing(StandIn(), told, remembered=file):
        wait_for(lambda: told == [description(3)], "the server tells")
        wait_for(lambda: file.read_bytes() == description(3).to_json().encode(), "the file is mended")


def test_generations_keep_the_last_ones() -> None:
    generations, model = Generations(), StandIn()
    for number in range(1, 40):
        assert generations.learn(model, number) == description(number)
    assert generations.of(39) == description(39)
    assert generations.of(1) is None
