"""What an exported model promises to every consumer of SavedModels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serving.export import export_saved_model
from serving.local import LocalModel
from serving.signature import ClassDescription
from serving.warm_up import WARM_UP_BATCHES, read_warm_up
from tests.support.tiny_model import WINDOW_FRAMES, description, make_model, some_audio
from tidzam_platform.errors import ModelRepositoryError, ModelServerError


def test_an_exported_model_answers_like_the_model_itself(exported):
    audio = some_audio(100)
    expected = make_model(3)(audio)
    with LocalModel(exported(3)) as local:
        prediction = local.predict(audio)
        assert local.describe() == description(3)
    for name in ("scores", "embedding", "level_dbfs"):
        answer = getattr(prediction, name)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, np.asarray(expected[name]), rtol=1e-5, atol=1e-5)
    assert prediction.generation == 3


def test_the_signatures_are_those_that_the_design_promises(exported):
    import tensorflow as tf

    signatures = tf.saved_model.load(str(exported(3))).signatures
    assert set(signatures) == {"serving_default", "describe"}
    predict, describe = signatures["serving_default"], signatures["describe"]
    (audio,) = predict.structured_input_signature[1].values()
    assert (audio.name, audio.dtype, audio.shape.as_list()) == ("audio", tf.float32, [None, WINDOW_FRAMES])
    shapes = {name: spec.shape.as_list() for name, spec in predict.structured_outputs.items()}
    assert shapes == {"scores": [None, 3], "embedding": [None, 8], "level_dbfs": [None]}
    (request,) = describe.structured_input_signature[1].values()
    assert (request.name, request.dtype, request.shape.as_list()) == ("request", tf.int32, [None])
    assert list(describe.structured_outputs) == ["json"]


def test_a_keras_model_is_exported_with_the_variables_of_its_graph_only(tmp_path):
    from tidzam_platform.classifiers.backend import load_keras

    keras = load_keras()
    audio = keras.Input((WINDOW_FRAMES,), name="audio")
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(8, activation="tanh")(audio))
    level = keras.layers.Dense(1)(audio)
    model = keras.Model(
        audio,
        {
            "scores": keras.layers.Dense(3, activation="sigmoid")(hidden),
            "embedding": hidden,
            "level_dbfs": keras.layers.Reshape(())(level),
        },
    )
    model.compile("adam", "mse")
    windows = some_audio(5)
    export_saved_model(model, description(1), tmp_path / "model", windows)
    with LocalModel(tmp_path / "model") as local:
        np.testing.assert_allclose(local.predict(windows).scores, model(windows)["scores"], atol=1e-5)
    import tensorflow as tf

    shapes = dict(tf.train.list_variables(str(tmp_path / "model" / "variables" / "variables"))).values()
    assert sorted(map(list, (shape for shape in shapes if shape))) == sorted(
        list(variable.shape) for variable in model.trainable_variables
    )


def test_warm_up_records_cover_the_batch_sizes_that_clients_send(exported):
    requests = list(read_warm_up(exported(3)))
    batches = [
        request.inputs["audio"].tensor_shape.dim[0].size for request in requests if "audio" in request.inputs
    ]
    assert batches == list(WARM_UP_BATCHES)
    assert [request.model_spec.signature_name for request in requests[-1:]] == ["describe"]
    assert {request.model_spec.name for request in requests} == {"tidzam"}


def test_warm_up_records_hold_real_audio_and_then_silence(exported):
    import tensorflow as tf

    audio = tf.make_ndarray(list(read_warm_up(exported(3)))[1].inputs["audio"])
    np.testing.assert_array_equal(audio[:4], some_audio(4, seed=99))
    assert not audio[4:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda answers: {**answers, "scores": answers["scores"][:, :2]}, "for 3 classes"),
        (lambda answers: {"scores": answers["scores"]}, "the model answers"),
        (lambda answers: {**answers, "logits": answers["scores"]}, "the model answers"),
        (lambda answers: {**answers, "level_dbfs": answers["scores"]}, "level_dbfs is float32 of 1"),
    ],
)
def test_a_model_that_does_not_fit_its_description_is_not_exported(tmp_path, change, message):
    model = make_model(1)
    with pytest.raises(ModelRepositoryError, match=message):
        export_saved_model(lambda audio: change(model(audio)), description(1), tmp_path, some_audio(1))
    assert not (tmp_path / "saved_model.pb").exists()


@pytest.mark.parametrize(
    "audio", [some_audio(0), some_audio(1)[:, :-1], np.full((1, WINDOW_FRAMES), np.nan, np.float32)]
)
def test_warm_up_audio_must_be_windows_of_the_model(tmp_path, audio):
    with pytest.raises(ModelRepositoryError, match="warm-up audio"):
        export_saved_model(make_model(1), description(1), tmp_path, audio)


def test_a_local_model_refuses_what_the_server_refuses(exported):
    audio = some_audio(3)
    with LocalModel(exported(3)) as local:
        with pytest.raises(ModelServerError, match="has 2000 samples, not 1999"):
            local.predict(audio[:, :-1])
        with pytest.raises(ModelServerError, match=r"\[batch, samples\]"):
            local.predict(audio[0])
        audio[1, 7] = np.nan
        with pytest.raises(ModelServerError, match="row 1 of audio holds nan at sample 7"):
            local.predict(audio)


def test_an_empty_batch_is_answered_by_empty_arrays_of_the_right_width(exported):
    with LocalModel(exported(3)) as local:
        prediction = local.predict(some_audio(0))
    assert prediction.scores.shape == (0, 3)
    assert prediction.level_dbfs.shape == (0,)


def test_a_damaged_version_is_not_loaded(tmp_path, exported):
    import shutil

    folder = shutil.copytree(exported(3), tmp_path / "damaged")
    graph = folder / "saved_model.pb"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(ModelRepositoryError, match=r"saved_model\.pb is damaged"):
        LocalModel(folder)


def test_the_description_must_name_as_many_classes_as_the_model_scores(tmp_path):
    wrong = replace(description(1), classes=(ClassDescription("rain", None, 0.5),))
    with pytest.raises(ModelRepositoryError, match="for 1 classes"):
        export_saved_model(make_model(1), wrong, tmp_path, some_audio(1))


def test_a_run_that_takes_longer_than_its_limit_is_given_up(exported):
    import tensorflow as tf

    from serving.saved_model import SavedModel

    model = SavedModel(exported(3))
    with pytest.raises(tf.errors.DeadlineExceededError):
        model.run("serving_default", {"audio": some_audio(4000)}, ["scores"], timeout_s=0.001)
    assert model.run("serving_default", {"audio": some_audio(1)}, ["scores"], timeout_s=10)
    model.close()
    model.close()
