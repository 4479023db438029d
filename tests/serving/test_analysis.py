"""What is heard in files: through the server as in this process, with true times, in every form of output."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest

from tests.support.in_process import run_here
from tests.support.model_server import ModelServerProcess
from tests.support.small_site import TrainedHome, last_line
from tidzam_platform.audio import read_audio, write_audio

PREDICT_TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def local_answer(trained_home: TrainedHome) -> dict:
    answered = run_here(
        ["analyze", "--local", "--json", "--windows", trained_home.site.held_out], trained_home.folder
    )
    assert answered.returncode == 0, answered.stderr
    return last_line(answered.stdout)


def test_events_cover_each_channel_from_start_to_end(trained_home: TrainedHome, local_answer: dict) -> None:
    assert {event["channel"] for event in local_answer["events"]} == {1, 2}
    for event in local_answer["events"]:
        assert 0 <= event["start"] < event["end"] <= local_answer["files"][0]["seconds"]
        assert 0 <= event["score"] <= 1
        assert event["generation"] == 1
        assert event["file"] == str(trained_home.site.held_out)
    (file,) = local_answer["files"]
    assert len(file["windows"]) == 2 * 39, "20 s, windows of 1 s every 0.5 s, two channels"


def test_the_server_gives_what_the_same_process_gives_and_so_does_a_client_of_tensorflow_serving_alone(
    trained_home: TrainedHome, local_answer: dict
) -> None:
    with ModelServerProcess(trained_home.folder) as server:
        address = server.wait_ready()["address"]
        served = run_here(
            ["analyze", "--server", address, "--json", trained_home.site.held_out], trained_home.folder
        )
        assert served.returncode == 0, served.stderr
        heard, expected = last_line(served.stdout)["events"], local_answer["events"]
        assert [(e["channel"], e["start"], e["end"], e["class"]) for e in heard] == [
            (e["channel"], e["start"], e["end"], e["class"]) for e in expected
        ]
        np.testing.assert_allclose([e["score"] for e in heard], [e["score"] for e in expected], atol=2e-4)
        compare_with_foreign_client(address, trained_home.site.held_out, local_answer)


def compare_with_foreign_client(address: str, recording: Path, local_answer: dict) -> None:
    """A client that knows tensorflow-serving-api, ``describe`` and nothing else of ours."""
    import json

    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "tidzam"
        request.model_spec.signature_name = "describe"
        request.inputs["request"].CopyFrom(tf.make_tensor_proto([0], tf.int32))
        answer = stub.Predict(request, timeout=PREDICT_TIMEOUT_S)
        described = json.loads(tf.make_ndarray(answer.outputs["json"]).item())
        rate_hz = described["rate_hz"]
        window, hop = round(described["window_s"] * rate_hz), round(described["hop_s"] * rate_hz)
        audio = read_audio(recording, rate_hz=rate_hz)[0]
        windows = np.stack([audio[start : start + window] for start in range(0, 10 * hop, hop)])
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "tidzam"
        request.inputs["audio"].CopyFrom(tf.make_tensor_proto(windows))
        scores = tf.make_ndarray(stub.Predict(request, timeout=PREDICT_TIMEOUT_S).outputs["scores"])
    expected = [window for window in local_answer["files"][0]["windows"] if window["channel"] == 1][:10]
    paths = [known["path"] for known in described["classes"]]
    np.testing.assert_allclose(
        scores, [[one["scores"][path] for path in paths] for one in expected], atol=1e-4
    )


def test_csv_and_audacity_tell_the_same_events(trained_home: TrainedHome, local_answer: dict) -> None:
    command = ["analyze", "--local", trained_home.site.held_out]
    rows = list(csv.DictReader(io.StringIO(run_here([*command, "--csv"], trained_home.folder).stdout)))
    assert [row["class"] for row in rows] == [event["class"] for event in local_answer["events"]]
    track = run_here([*command, "--audacity", "--channel", "2"], trained_home.folder).stdout
    told = [line.split("\t") for line in track.splitlines()]
    expected = [event for event in local_answer["events"] if event["channel"] == 2]
    assert [(float(start), float(end), label) for start, end, label in told] == [
        (event["start"], event["end"], event["class"]) for event in expected
    ]


def test_silence_is_no_signal(trained_home: TrainedHome, tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    write_audio(silent, np.zeros((1, 48_000), np.float32), 24_000, codec="wav")
    answer = last_line(run_here(["analyze", "--local", "--json", silent], trained_home.folder).stdout)
    assert [event["class"] for event in answer["events"]] == ["no_signal"]


def test_a_file_that_cannot_be_used_is_named_and_the_others_are_heard(
    trained_home: TrainedHome, tmp_path: Path
) -> None:
    bad, good = tmp_path / "bad.opus", tmp_path / "good.wav"
    bad.write_text("#EXTM3U\n/etc/passwd\n")
    write_audio(good, np.zeros((1, 48_000), np.float32), 24_000, codec="wav")
    answered = run_here(["analyze", "--local", "--json", bad, good], trained_home.folder)
    assert answered.returncode == 2
    answer = last_line(answered.stdout)
    assert [file["file"] for file in answer["files"]] == [str(good)]
    assert [one["file"] for one in answer["unusable"]] == [str(bad)]
    alone = run_here(["analyze", "--local", "--json", bad], trained_home.folder)
    assert alone.returncode == 2
    assert "Traceback" not in alone.stderr


def test_without_a_server_the_error_says_how_to_start_one(trained_home: TrainedHome) -> None:
    failed = run_here(["analyze", "--server", "127.0.0.1:9", trained_home.site.held_out], trained_home.folder)
    assert failed.returncode == 1
    assert "./tidzam serve" in failed.stderr


def test_without_a_generation_the_error_says_how_to_make_one(
    trained_home: TrainedHome, tmp_path: Path
) -> None:
    failed = run_here(["analyze", "--local", trained_home.site.held_out], tmp_path / "empty")
    assert failed.returncode == 1
    assert "./tidzam generation run" in failed.stderr


def test_a_channel_that_the_file_does_not_have_is_refused_with_how_many_it_has(
    trained_home: TrainedHome, tmp_path: Path
) -> None:
    mono, four = tmp_path / "mono.wav", tmp_path / "four.wav"
    write_audio(mono, np.zeros((1, 24_000), np.float32), 24_000, codec="wav")
    write_audio(four, np.zeros((4, 24_000), np.float32), 24_000, codec="wav")
    command = ["analyze", "--local", "--json", "--channel"]
    refused = run_here([*command, "9", four], trained_home.folder)
    assert refused.returncode == 2
    assert f"{four} has 4 channels: there is no --channel 9" in refused.stderr
    some = run_here([*command, "4", mono, four], trained_home.folder)
    assert some.returncode == 2
    answer = last_line(some.stdout)
    assert {event["channel"] for event in answer["events"]} == {4}
    assert [one["file"] for one in answer["unusable"]] == [str(mono)]
    assert "1 channel:" in answer["unusable"][0]["error"]


def test_names_from_anywhere_lose_no_result(trained_home: TrainedHome, tmp_path: Path) -> None:
    bad, good = tmp_path / "[" / "x].opus", tmp_path / "q[red]w.wav"
    bad.parent.mkdir()
    bad.write_text("no audio")
    write_audio(good, np.zeros((1, 48_000), np.float32), 24_000, codec="wav")
    odd = good.with_name(os.fsdecode(b"\xff.wav"))
    odd.write_bytes(good.read_bytes())
    shown = run_here(["analyze", "--local", bad, good, odd], trained_home.folder)
    assert shown.returncode == 2, shown.stderr
    assert "q[red]w.wav, heard by" in shown.stdout
    assert "\\udcff.wav, heard by" in shown.stdout
    assert str(bad) in shown.stderr
    listed = run_here(["analyze", "--local", "--csv", odd], trained_home.folder).stdout
    assert "\\udcff.wav" in listed
    assert listed.encode()


def test_windows_without_json_is_wrong_usage(tmp_path: Path) -> None:
    refused = run_here(["analyze", "--windows", "x.opus"], tmp_path)
    assert refused.returncode == 2
    assert "--windows goes with --json" in refused.stderr
