"""Paths: tensorflow/serving's tensorflow_serving/model_servers/http_rest_api_util_test.cc."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.server.refusals import RefusalError
from serving.server.rest.paths import Target, parse_target

_RESERVED = "%21%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D"
_MEANT = "!#$%&'()*+,/:;=?@[]"
_PATHS = {
    ("GET", f"/v1/models/m{_RESERVED}"): Target("GetModelStatus", f"m{_MEANT}"),
    ("GET", "/v1/models/m/versions/99"): Target("GetModelStatus", "m", version=99),
    ("GET", "/v1/models/m/versions/007"): Target("GetModelStatus", "m", version=7),
    ("GET", f"/v1/models/m/versions/{2**63 - 1}"): Target("GetModelStatus", "m", version=2**63 - 1),
    ("GET", "/v1/models/m/labels/latest"): Target("GetModelStatus", "m", label="latest"),
    ("GET", "/v1/models/m/labels/latest/metadata"): Target("GetModelMetadata", "m", label="latest"),
    ("GET", f"/v1/models/m{_RESERVED}/labels/l{_RESERVED}/metadata"): Target(
        "GetModelMetadata", f"m{_MEANT}", label=f"l{_MEANT}"
    ),
    ("POST", "/v1/models/m:classify"): Target("Classify", "m"),
    ("POST", "/v1/models/m/versions/99:predict"): Target("Predict", "m", version=99),
    ("POST", f"/v1/models/m{_RESERVED}/labels/l{_RESERVED}:regress"): Target(
        "Regress", f"m{_MEANT}", label=f"l{_MEANT}"
    ),
}


@pytest.mark.parametrize(("method", "path"), _PATHS)
def test_paths_are_read(method, path):
    assert parse_target(method, path) == _PATHS[method, path]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"/v1/models/m/versions/{2**63}", f"Failed to convert version: {2**63} to numeric."),
        (f"/v1/models/m/versions/{'9' * 5000}", "Failed to convert version: 9"),
        ("/v1/models/m%ff", "Failed to decode model name:m%ff"),
        ("/v1/models/versions/3", "Missing model name in request."),
        ("/v1/models/m/versions/٣", "Malformed request: GET /v1/models/m/versions/٣"),
    ],
)
def test_paths_that_mean_nothing_are_refused(path, words):
    with pytest.raises(RefusalError) as caught:
        parse_target("GET", path)
    assert caught.value.code.name == "INVALID_ARGUMENT"
    assert caught.value.message.startswith(words)


@given(st.sampled_from(["GET", "POST", "HEAD"]), st.text().map("/v1/models".__add__))
def test_any_path_is_read_or_refused(method, path):
    with contextlib.suppress(RefusalError):
        assert parse_target(method, path).model
