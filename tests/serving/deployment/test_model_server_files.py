"""Each file that the real TensorFlow Serving is started with is written by the repository, in a form that it reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import text_format

from serving.repository import ModelRepository
from serving.repository.server_protos import batching_parameters, monitoring_config
from tests.serving.conftest import Publish
from tidzam_platform.settings import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"
HOME_IN_CONTAINER = "/data"


def model_server_config() -> Any:
    from tensorflow_serving.config import model_server_config_pb2

    return model_server_config_pb2.ModelServerConfig()


# The flag that names a file, and the message that tensorflow_model_server parses from it (model_servers/main.cc).
MESSAGES: dict[str, Callable[[], Any]] = {
    "model_config_file": model_server_config,
    "monitoring_config_file": monitoring_config,
    "batching_parameters_file": batching_parameters,
}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def manifests() -> list[dict[str, Any]]:
    return [
        document
        for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]


def compose_server() -> tuple[list[str], list[str]]:
    """The command of the model server and where volumes are mounted."""
    service = compose()["services"]["model-server"]
    return service["entrypoint"], [volume.split(":")[1] for volume in service["volumes"]]


def kubernetes_server() -> tuple[list[str], list[str]]:
    (pod,) = [
        document["spec"]["template"]["spec"]
        for document in manifests()
        if document["kind"] == "Deployment" and document["metadata"]["name"] == "tidzam-model-server"
    ]
    (server,) = pod["containers"]
    return [*server["command"], *server["args"]], [mount["mountPath"] for mount in server["volumeMounts"]]


SERVERS = {"compose": compose_server, "kubernetes": kubernetes_server}


def flags(command: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in command[1:])


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("labelled", [False, True])
def test_each_mounted_file_is_written_by_us_and_read_by_tensorflow_serving(
    kind: str, labelled: bool, repository: ModelRepository, publish: Publish
) -> None:
    if labelled:
        publish(3)
        publish(4)
        repository.promote(3, by="test", reason="it is good")
        repository.promote(4, by="test", reason="to be tried", label="canary")
    repository.write_server_files()
    command, mounts = SERVERS[kind]()
    assert mounts == [HOME_IN_CONTAINER]
    home = repository.base_path.parent.parent
    read = set()
    for flag, value in flags(command).items():
        if flag not in MESSAGES:
            assert not value.startswith("/"), f"--{flag} names a file that no message is known for"
            continue
        file = home / Path(value).relative_to(HOME_IN_CONTAINER)
        message = MESSAGES[flag]()
        text_format.Parse(file.read_text(), message)
        assert message.ByteSize() > 0
        read.add(flag)
    assert read == MESSAGES.keys()


def test_in_a_container_the_base_path_lies_in_the_mounted_folder(tmp_path: Path) -> None:
    """Both containers see the data folder under one path: what one writes is true for the other."""
    config = model_server_config()
    repository = ModelRepository(tmp_path / "data" / "models")
    repository.write_server_files()
    text_format.Parse((tmp_path / "data/models/serving/models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert model.base_path == str(tmp_path / "data/models/tidzam")
    for service in ("prepare", "gateway", "dagster"):
        assert compose()["services"][service]["volumes"] == ["data:/data"]
        assert compose()["services"][service]["environment"]["TIDZAM_HOME"] == HOME_IN_CONTAINER


def test_nothing_of_compose_listens_beyond_this_machine() -> None:
    for service in compose()["services"].values():
        for port in service.get("ports", []):
            assert re.match(r"127\.0\.0\.1:\d+:\d+$", port)


def test_every_variable_of_ours_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tidzam_platform.settings import load_settings

    pods = [
        document["spec"]["template"]["spec"] for document in manifests() if document["kind"] == "Deployment"
    ]
    given = [service.get("environment", {}) for service in compose()["services"].values()] + [
        {variable["name"]: variable["value"] for variable in container.get("env", [])}
        for pod in pods
        for container in [*pod["containers"], *pod.get("initContainers", [])]
    ]
    assert any("TIDZAM_GATEWAY__ALLOWED_HOSTS" in variables for variables in given)
    for variables in given:
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, str(tmp_path) if name == "TIDZAM_HOME" else value)
            load_settings()
