"""The files that model servers read: parsed with the official messages, following the labels, never in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serving.repository import ModelRepository
from tests.serving.repository.tiny_versions import WHY, publish_all
from tidzam_platform.files import exclusive
from tidzam_platform.settings import BatchingSettings


def model_config(repository: ModelRepository) -> Any:
    """The one model of ``models.config``."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((repository.serving_folder / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    return model


def policy(repository: ModelRepository) -> tuple[str, list[int], dict[str, int]]:
    """Kind of the version policy, its versions or number, and the labels."""
    model = model_config(repository)
    chosen = model.model_version_policy
    kind = chosen.WhichOneof("policy_choice")
    numbers = list(chosen.specific.versions) if kind == "specific" else [chosen.latest.num_versions]
    return kind, numbers, dict(model.version_labels)


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir() if path.is_file()
    }


def test_before_the_first_promotion_servers_take_the_newest_also_of_an_empty_repository(repository):
    repository.write_server_files()
    model = model_config(repository)
    assert (model.name, model.model_platform) == ("tidzam", "tensorflow")
    assert model.base_path == str(repository.base_path)
    assert Path(model.base_path).is_absolute()
    assert policy(repository) == ("latest", [1], {})
    publish_all(repository, 1, 2)
    repository.write_server_files()
    assert policy(repository) == ("latest", [1], {})


def test_the_config_of_a_relative_folder_names_the_absolute_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    repository = ModelRepository(Path("home") / "models")
    repository.write_server_files()
    assert model_config(repository).base_path == str(tmp_path / "home" / "models" / "tidzam")


def test_servers_hold_the_labelled_versions_and_the_one_to_go_back_to(with_versions):
    repository = with_versions(1, 2, 3, 4, 5)
    repository.promote(2, **WHY)
    assert policy(repository) == ("specific", [2], {"stable": 2})
    repository.promote(3, **WHY)
    assert policy(repository) == ("specific", [2, 3], {"stable": 3})
    repository.promote(5, label="canary", **WHY)
    assert policy(repository) == ("specific", [2, 3, 5], {"stable": 3, "canary": 5})
    repository.rollback(**WHY)
    assert policy(repository) == ("specific", [2, 5], {"stable": 2, "canary": 5})
    repository.remove_label("canary", **WHY)
    assert policy(repository) == ("specific", [2], {"stable": 2})


def test_a_newer_version_that_one_left_is_not_held_since_clients_without_a_label_would_get_it(with_versions):
    repository = with_versions(1, 2)
    repository.promote(2, **WHY)
    repository.promote(1, **WHY)
    assert repository.rollback_target() == 2
    assert policy(repository) == ("specific", [1], {"stable": 1})


def test_a_retired_version_is_not_held(with_versions):
    repository = with_versions(1, 2)
    repository.promote(1, **WHY)
    repository.promote(2, **WHY)
    assert policy(repository) == ("specific", [1, 2], {"stable": 2})
    repository.retire(1, **WHY)
    assert policy(repository) == ("specific", [2], {"stable": 2})


def test_the_server_of_this_project_reads_the_same_from_it(with_versions):
    from serving.server.serving_config import read_serving_config

    repository = with_versions(1, 2)
    repository.promote(1, **WHY)
    repository.promote(2, label="canary", **WHY)
    config = read_serving_config(repository.serving_folder / "models.config", repository.base_path)
    assert config is not None
    assert (config.policy, config.versions, config.labels) == ("specific", (1, 2), {"stable": 1, "canary": 2})


def test_metrics_are_at_the_path_of_tensorflow_serving(repository):
    from google.protobuf import text_format

    from serving.repository.server_protos import monitoring_config

    repository.write_server_files()
    config = monitoring_config()
    text_format.Parse((repository.serving_folder / "monitoring.config").read_text(), config)
    assert config.prometheus_config.enable is True
    assert config.prometheus_config.path == "/monitoring/prometheus/metrics"


def test_batching_says_what_the_settings_say_and_stays_when_labels_move(with_versions):
    from google.protobuf import text_format

    from serving.repository.server_protos import batching_parameters

    def written() -> tuple[int, ...]:
        config = batching_parameters()
        text_format.Parse((repository.serving_folder / "batching.config").read_text(), config)
        return tuple(
            getattr(config, name).value
            for name in (
                "max_batch_size",
                "batch_timeout_micros",
                "max_enqueued_batches",
                "num_batch_threads",
            )
        )

    repository = with_versions(1)
    batching = BatchingSettings(
        max_batch_size=32, batch_timeout_micros=500, max_enqueued_batches=7, num_batch_threads=3
    )
    repository.write_server_files(batching)
    assert written() == (32, 500, 7, 3)
    repository.promote(1, **WHY)
    repository.write_server_files()
    assert written() == (32, 500, 7, 3)


def test_the_messages_that_the_api_package_leaves_out_have_the_numbers_of_their_proto_files():
    """monitoring_config.proto and session_bundle_config.proto, by the bytes that they give on the wire."""
    from serving.repository.server_protos import batching_parameters, monitoring_config

    config = monitoring_config()
    config.prometheus_config.enable, config.prometheus_config.path = True, "/m"
    assert config.SerializeToString() == b"\x0a\x06" + b"\x08\x01" + b"\x12\x02/m"
    batching = batching_parameters()
    batching.max_batch_size.value, batching.num_batch_threads.value = 64, 0
    batching.thread_pool_name.value = "p"
    batching.allowed_batch_sizes.extend([1, 2])
    assert (
        batching.SerializeToString()
        == b"\x0a\x02\x08\x40" + b"\x22\x00" + b"\x2a\x03\x0a\x01p" + b"\x32\x02\x01\x02"
    )


def test_files_that_are_up_to_date_are_left_alone(with_versions):
    repository = with_versions(1)
    repository.promote(1, **WHY)
    before = everything(repository.serving_folder)
    assert repository.write_server_files() == []
    assert everything(repository.serving_folder) == before


@pytest.mark.parametrize("name", ["models.config", "monitoring.config", "batching.config"])
def test_a_file_that_lags_behind_or_is_gone_is_written_again(with_versions, name):
    repository = with_versions(1)
    repository.promote(1, **WHY)
    path = repository.serving_folder / name
    right = path.read_bytes()
    for spoil in (path.unlink, lambda: path.write_bytes(b"\xff")):
        spoil()
        assert repository.write_server_files(BatchingSettings()) == [path]
        assert path.read_bytes() == right


def test_who_finds_all_up_to_date_neither_waits_for_a_change_nor_writes(with_versions):
    repository = with_versions(1)
    repository.promote(1, **WHY)
    with exclusive(repository.serving_folder / "state.lock", "a test"):
        before = everything(repository.serving_folder)
        assert repository.write_server_files() == []
        assert everything(repository.serving_folder) == before
