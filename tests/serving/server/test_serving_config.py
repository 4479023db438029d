"""The config file of TensorFlow Serving decides which versions answer, and what their labels are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.server.serving_config import ServingConfig, config_of_proto, read_serving_config
from tidzam_platform.errors import ModelRepositoryError

BASE = Path("/models/tidzam")


def config_text(policy: str = "", *, name: str = "tidzam", base_path: str = str(BASE), rest: str = "") -> str:
    return (
        f'model_config_list {{ config {{ name: "{name}" base_path: "{base_path}" '
        f'model_platform: "tensorflow" {policy} {rest} }} }}'
    )


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        # sources/storage_path/file_system_storage_path_source.proto: "the default policy is to serve the latest"
        ("", [9]),
        ("model_version_policy { latest { } }", [9]),
        ("model_version_policy { latest { num_versions: 2 } }", [9, 5]),
        ("model_version_policy { all { } }", [9, 5, 2]),
        ("model_version_policy { specific { versions: 2 versions: 5 } }", [5, 2]),
        ("model_version_policy { specific { versions: 7 } }", []),
    ],
)
def test_the_policy_says_which_versions_are_served(tmp_path: Path, policy: str, served: list[int]) -> None:
    file = tmp_path / "models.config"
    file.write_text(config_text(policy))
    config = read_serving_config(file, BASE)
    assert config is not None
    candidates = config.candidates([2, 5, 9])
    assert candidates[: int(min(config.most, len(candidates)))] == served


def test_without_a_file_there_is_no_config(tmp_path: Path) -> None:
    assert read_serving_config(tmp_path / "none", BASE) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_config_list {", "is no ModelServerConfig"),
        ("", "the config names none"),
        (config_text(name="other"), "names 'other'"),
        (config_text(base_path="/etc"), "not from '/etc'"),
        (
            config_text(
                rest='version_labels { key: "a" value: 3 } model_version_policy { specific { versions: 4 } }'
            ),
            "'a' names a version that is not to be served",
        ),
        (config_text("model_version_policy { specific { } }"), "at least one version"),
        (config_text().replace('"tensorflow"', '"caffe"'), "platform"),
    ],
)
def test_a_config_of_something_else_is_refused_with_a_reason(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "models.config"
    file.write_text(text)
    with pytest.raises(ModelRepositoryError, match=words):
        read_serving_config(file, BASE)


@given(st.sets(st.integers(1, 50), min_size=1), st.data())
def test_what_a_proto_says_is_what_the_config_holds(versions: set[int], data: st.DataObject) -> None:
    from tensorflow_serving.config import model_server_config_pb2

    labels = data.draw(st.dictionaries(st.text("abc", min_size=1), st.sampled_from(sorted(versions))))
    proto = model_server_config_pb2.ModelServerConfig()
    model = proto.model_config_list.config.add(name="tidzam", base_path=str(BASE))
    model.model_version_policy.specific.versions.extend(versions)
    for label, version in labels.items():
        model.version_labels[label] = version
    config = config_of_proto(proto, BASE)
    assert config == ServingConfig("specific", versions=tuple(sorted(versions)), labels=labels)
